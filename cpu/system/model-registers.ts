/** Model-specific registers that stand for themselves: Intel SDM vol. 4, chapter 2. */

export interface ModelRegisters {
  star: bigint;
  /** Targets of SYSCALL in 64-bit and compatibility mode. */
  lstar: number;
  cstar: number;
  syscallMask: number;
  sysenterCs: number;
  sysenterEsp: number;
  sysenterEip: number;
  tscAux: number;
  /** What WRMSR to the time stamp counter has added to the host's count. */
  tscOffset: number;
  pat: bigint;
  miscEnable: bigint;
  /** IA32_SPEC_CTRL: kept, and means nothing. */
  specCtrl: bigint;
  mtrrDefault: bigint;
  /** By number: fixed and variable ranges. They are kept and mean nothing: there are no caches. */
  readonly mtrr: Map<number, bigint>;
}

/** PA0…PA7: WB, WT, UC-, UC, twice (SDM vol. 3, 12.12.4). */
const PAT_AT_RESET = 0x0007040600070406n;
/** Fast strings; no performance monitoring: BTS and PEBS are unavailable (bits 11 and 12). */
const MISC_ENABLE_AT_RESET = 0x1801n;

export function createModelRegisters(): ModelRegisters {
  return {
    star: 0n,
    lstar: 0,
    cstar: 0,
    syscallMask: 0,
    sysenterCs: 0,
    sysenterEsp: 0,
    sysenterEip: 0,
    tscAux: 0,
    tscOffset: 0,
    pat: PAT_AT_RESET,
    miscEnable: MISC_ENABLE_AT_RESET,
    specCtrl: 0n,
    mtrrDefault: 0n,
    mtrr: new Map(),
  };
}
