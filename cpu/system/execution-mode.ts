/**
 * Execution modes: all that decides, besides the bytes, what code means. Translated code belongs to one mode; each has a
 * number that tells its entries in the jump cache from those of the others.
 */

/** What control registers forbid: CR0 and CR4 for x87, MMX and SSE (SDM vol. 3, tables 2-2 and 9-3), and single features. */
export const Restriction = {
  /** CR0.MP, CR0.EM, CR0.TS. */
  MP: 1,
  EM: 2,
  TS: 4,
  /** CR4.OSFXSR is clear. */
  NoSse: 8,
  /** CR4.OSXSAVE is clear: XSAVE and what needs it are undefined. */
  NoXsave: 16,
  /** XCR0 does not have the AVX state. */
  NoAvx: 32,
  /** EFER.SCE, CR4.FSGSBASE are clear. */
  NoSyscall: 64,
  NoFsGsBase: 128,
  /** Real or virtual-8086 mode: VEX prefixes, and what deals with descriptors, are undefined. */
  NotProtected: 256,
} as const;

export interface ExecutionMode {
  /** 0…65535. */
  readonly id: number;
  readonly codeSize: 16 | 32 | 64;
  readonly stackSize: 16 | 32 | 64;
  /** CPL is 3. */
  readonly user: boolean;
  /** CS's base: 0 in 64-bit mode. */
  readonly codeBase: number;
  /** CS's limit; {@link NO_LIMIT} in 64-bit mode too. */
  readonly codeLimit: number;
  /** {@link Restriction} bits. */
  readonly restrictions: number;
}

/** A code segment of 4 GiB. */
export const NO_LIMIT = 0xffffffff;

/** User code for the OSv kernel. */
export const USER_CODE_MODE: ExecutionMode = {
  id: 0,
  codeSize: 64,
  stackSize: 64,
  user: true,
  codeBase: 0,
  codeLimit: NO_LIMIT,
  restrictions: 0,
};

const SIZE_CODE = { 16: 0, 32: 1, 64: 2 } as const;
const MOST_MODES = 65536;
/** Sizes, privilege and restrictions have this many combinations. */
const RESTRICTION_KEYS = 2 ** 14;

/** The modes that have occurred. */
export class ExecutionModes {
  /** By code segment limit, then by all the rest. */
  private readonly byLimit = new Map<number, Map<number, ExecutionMode>>();
  private count = 0;
  /** Those of 64-bit mode, by restrictions and privilege: system calls ask for them all the time. */
  private readonly long: (ExecutionMode | undefined)[] = [];
  /** Told when the numbers have run out and begin anew: everything translated so far must go. */
  onOverflow: (() => void) | undefined;

  /** The mode of 64-bit code. */
  getLong(user: boolean, restrictions: number): ExecutionMode {
    const index = restrictions * 2 + (user ? 1 : 0);
    const known = this.long[index];
    if (known !== undefined) return known;
    const mode = this.get({ ...USER_CODE_MODE, user, restrictions });
    this.long[index] = mode;
    return mode;
  }

  get(mode: Omit<ExecutionMode, "id">): ExecutionMode {
    const { codeSize, stackSize, user, codeBase, codeLimit, restrictions } = mode;
    const bits = SIZE_CODE[codeSize] | (SIZE_CODE[stackSize] << 2) | (user ? 16 : 0) | (restrictions << 5);
    const key = codeBase * RESTRICTION_KEYS + bits;
    const known = this.byLimit.get(codeLimit)?.get(key);
    if (known !== undefined) return known;
    if (this.count + 1 >= MOST_MODES) {
      this.byLimit.clear();
      this.long.length = 0;
      this.count = 0;
      this.onOverflow?.();
    }
    const added = { ...mode, id: ++this.count };
    const alike = this.byLimit.get(codeLimit);
    if (alike === undefined) this.byLimit.set(codeLimit, new Map([[key, added]]));
    else alike.set(key, added);
    return added;
  }
}
