/**
 * The processor model: what CPUID answers (Intel SDM vol. 2, CPUID) and which instructions therefore exist. A feature is
 * listed only if it is implemented.
 */

const VENDOR = "GenuineIntel";
const BRAND = "osv-vm x86-64-v2";
/** Family 6, model 7A (Goldmont Plus), stepping 1: the processor without AVX whose features are most like ours. */
const SIGNATURE = 0x000706a1;
const CACHE_LINE_BYTES = 64;
/** Bytes of an XSAVE area: legacy region of 512 and header of 64 (SDM vol. 1, 13.4). */
const XSAVE_BYTES = 576;

export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** Where CPUID reports a feature: leaf (subleaf 0), register, bit. */
type FeatureBit = readonly [leaf: number, register: "ebx" | "ecx" | "edx", bit: number];

/** By the names that the opcode tables use; a feature without instructions of its own has a name not found there. */
const FEATURE_BITS = {
  fpu: [1, "edx", 0],
  tsc: [1, "edx", 4],
  cx8: [1, "edx", 8],
  cmov: [1, "edx", 15],
  clflush: [1, "edx", 19],
  mmx: [1, "edx", 23],
  fxsr: [1, "edx", 24],
  sse: [1, "edx", 25],
  sse2: [1, "edx", 26],
  sse3: [1, "ecx", 0],
  pclmul: [1, "ecx", 1],
  ssse3: [1, "ecx", 9],
  cmpxchg16b: [1, "ecx", 13],
  sse41: [1, "ecx", 19],
  sse42: [1, "ecx", 20],
  movbe: [1, "ecx", 22],
  popcnt: [1, "ecx", 23],
  aes: [1, "ecx", 25],
  xsave: [1, "ecx", 26],
  osxsave: [1, "ecx", 27],
  rdrand: [1, "ecx", 30],
  fsgsbase: [7, "ebx", 0],
  erms: [7, "ebx", 9],
  rdseed: [7, "ebx", 18],
  adx: [7, "ebx", 19],
  clflushopt: [7, "ebx", 23],
  sha: [7, "ebx", 29],
  umip: [7, "ecx", 2],
  rdpid: [7, "ecx", 22],
  lahf64: [0x80000001, "ecx", 0],
  prefetchw: [0x80000001, "ecx", 8],
  syscall: [0x80000001, "edx", 11],
  nx: [0x80000001, "edx", 20],
  rdtscp: [0x80000001, "edx", 27],
  lm: [0x80000001, "edx", 29],
} as const satisfies Record<string, FeatureBit>;

/** Features that only operating systems see: on a whole PC. */
const SYSTEM_FEATURE_BITS = {
  de: [1, "edx", 2],
  pse: [1, "edx", 3],
  msr: [1, "edx", 5],
  pae: [1, "edx", 6],
  mce: [1, "edx", 7],
  apic: [1, "edx", 9],
  sep: [1, "edx", 11],
  mtrr: [1, "edx", 12],
  pge: [1, "edx", 13],
  mca: [1, "edx", 14],
  pat: [1, "edx", 16],
  pse36: [1, "edx", 17],
  x2apic: [1, "ecx", 21],
  tscDeadline: [1, "ecx", 24],
  hypervisor: [1, "ecx", 31],
  serialize: [7, "edx", 14],
  tscAdjust: [7, "ebx", 1],
  smep: [7, "ebx", 7],
  smap: [7, "ebx", 20],
  specCtrl: [7, "edx", 26],
  archCapabilities: [7, "edx", 29],
  pdpe1gb: [0x80000001, "edx", 26],
} as const satisfies Record<string, FeatureBit>;

/** Features of this processor; instructions of the opcode tables that need another one raise #UD. */
export const FEATURES: ReadonlySet<string> = new Set([
  ...Object.keys(FEATURE_BITS),
  ...Object.keys(SYSTEM_FEATURE_BITS),
]);

function features(leaf: number): CpuidResult {
  const result = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  for (const [at, register, bit] of Object.values<FeatureBit>(FEATURE_BITS)) {
    if (at === leaf) result[register] |= 1 << bit;
  }
  return result;
}

const NOTHING: CpuidResult = { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/** Four characters from `at` on, as a register holds them; NUL behind the end. */
function characters(text: string, at: number): number {
  let value = 0;
  for (let index = 0; index < 4; index++) value |= (text.charCodeAt(at + index) || 0) << (8 * index);
  return value;
}

function registers(text: string, at: number): CpuidResult {
  const [eax, ebx, ecx, edx] = [0, 4, 8, 12].map((offset) => characters(text, at + offset));
  return { eax, ebx, ecx, edx };
}

/** Leaf 4: type (1 data, 2 instructions, 3 both), level, ways, sets. */
const CACHES: readonly (readonly [type: number, level: number, ways: number, sets: number])[] = [
  [1, 1, 8, 64], // 32 KiB
  [2, 1, 8, 64], // 32 KiB
  [3, 2, 16, 2048], // 2 MiB
];

function cache(index: number): CpuidResult {
  if (index >= CACHES.length) return NOTHING;
  const [type, level, ways, sets] = CACHES[index];
  const selfInitializing = 1 << 8;
  return {
    eax: type | (level << 5) | selfInitializing,
    ebx: (CACHE_LINE_BYTES - 1) | ((ways - 1) << 22),
    ecx: sets - 1,
    edx: 0,
  };
}

/** Leaf 0BH: one thread in one core. */
function topology(level: number): CpuidResult {
  const type = level === 0 ? 1 : level === 1 ? 2 : 0;
  return { eax: 0, ebx: type === 0 ? 0 : 1, ecx: (level & 0xff) | (type << 8), edx: 0 };
}

const MAXIMUM_BASIC = 0xd;
const MAXIMUM_EXTENDED = 0x80000008;

function basicLeaf(leaf: number, subleaf: number): CpuidResult {
  switch (leaf) {
    case 0x0:
      return {
        eax: MAXIMUM_BASIC,
        ebx: characters(VENDOR, 0),
        edx: characters(VENDOR, 4),
        ecx: characters(VENDOR, 8),
      };
    case 0x1: {
      const logicalProcessors = 1;
      const ebx = ((CACHE_LINE_BYTES / 8) << 8) | (logicalProcessors << 16);
      return { ...features(1), eax: SIGNATURE, ebx };
    }
    case 0x2: // One round; FFH: the caches are in leaf 4.
      return { ...NOTHING, eax: 0x0000ff01 };
    case 0x4:
      return cache(subleaf);
    case 0x7:
      return subleaf === 0 ? features(7) : NOTHING;
    case 0xb:
      return topology(subleaf);
    case 0xd: // x87 and SSE state, no extensions
      return subleaf === 0 ? { eax: 3, ebx: XSAVE_BYTES, ecx: XSAVE_BYTES, edx: 0 } : NOTHING;
    default:
      return NOTHING;
  }
}

function extendedLeaf(leaf: number): CpuidResult {
  switch (leaf) {
    case 0x80000000:
      return { ...NOTHING, eax: MAXIMUM_EXTENDED };
    case 0x80000001:
      return features(0x80000001);
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
      return registers(BRAND, (leaf - 0x80000002) * 16);
    case 0x80000006: // L2: 2 MiB in KiB, 16 ways, line size
      return { ...NOTHING, ecx: (2048 << 16) | (8 << 12) | CACHE_LINE_BYTES };
    case 0x80000007: // The TSC runs at one rate.
      return { ...NOTHING, edx: 1 << 8 };
    case 0x80000008: // 39 physical, 48 linear address bits
      return { ...NOTHING, eax: 39 | (48 << 8) };
    default:
      return NOTHING;
  }
}

/** What a leaf says besides on a whole PC. */
function systemFeatures(leaf: number): CpuidResult {
  const result = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  for (const [at, register, bit] of Object.values<FeatureBit>(SYSTEM_FEATURE_BITS)) {
    if (at === leaf) result[register] |= 1 << bit;
  }
  return result;
}

/** CPUID.1:ECX.OSXSAVE follows CR4. */
const OSXSAVE = 1 << 27;

/** CPUID.(7, 2):EDX: IA32_SPEC_CTRL.BHI_DIS_S exists, which spares Linux a loop at every system call. */
const LAST_SUBLEAF_OF_7 = 2;
const BHI_CTRL = 1 << 4;

/** CPUID as an operating system gets it. @param osxsave CR4.OSXSAVE */
export function systemCpuid(leaf: number, subleaf: number, osxsave: boolean): CpuidResult {
  const common = cpuid(leaf, subleaf);
  if (leaf === 7 && subleaf !== 0)
    return subleaf === LAST_SUBLEAF_OF_7 ? { ...NOTHING, edx: BHI_CTRL } : NOTHING;
  const { ebx, ecx, edx } = systemFeatures(leaf);
  const hidden = leaf === 1 && !osxsave ? OSXSAVE : 0;
  return {
    eax: leaf === 7 ? LAST_SUBLEAF_OF_7 : common.eax,
    ebx: common.ebx | ebx,
    ecx: (common.ecx | ecx) & ~hidden,
    edx: common.edx | edx,
  };
}

/** CPUID; leaf and subleaf are unsigned. Beyond the last leaf Intel's processors answer as for the last basic one. */
export function cpuid(leaf: number, subleaf: number): CpuidResult {
  if (leaf <= MAXIMUM_BASIC) return basicLeaf(leaf, subleaf);
  if (leaf >= 0x80000000 && leaf <= MAXIMUM_EXTENDED) return extendedLeaf(leaf);
  return basicLeaf(MAXIMUM_BASIC, subleaf);
}
