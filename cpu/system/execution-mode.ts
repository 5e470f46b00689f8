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
  /** {@link Restriction} bits. */
  readonly restrictions: number;
}

/** User code for the OSv kernel. */
export const USER_CODE_MODE: ExecutionMode = {
  id: 0,
  codeSize: 64,
  stackSize: 64,
  user: true,
  codeBase: 0,
  restrictions: 0,
};

const SIZE_CODE = { 16: 0, 32: 1, 64: 2 } as const;
const MOST_MODES = 65536;

/** The modes that have occurred. */
export class ExecutionModes {
  private readonly byKey = new Map<number, ExecutionMode>();
  /** Told when the numbers have run out and begin anew: everything translated so far must go. */
  onOverflow: (() => void) | undefined;

  get(mode: Omit<ExecutionMode, "id">): ExecutionMode {
    const { codeSize, stackSize, user, codeBase, restrictions } = mode;
    const bits = SIZE_CODE[codeSize] | (SIZE_CODE[stackSize] << 2) | (user ? 16 : 0) | (restrictions << 5);
    const key = codeBase * 8192 + bits;
    let known = this.byKey.get(key);
    if (known === undefined) {
      if (this.byKey.size + 1 >= MOST_MODES) {
        this.byKey.clear();
        this.onOverflow?.();
      }
      known = { ...mode, id: this.byKey.size + 1 };
      this.byKey.set(key, known);
    }
    return known;
  }
}
