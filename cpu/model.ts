/**
 * Processor models: what CPUID answers (Intel SDM vol. 2, CPUID) and which instructions therefore exist. A feature is
 * listed only if it is implemented. The levels are those of the x86-64 psABI (3.1.1).
 */

import { XCR0_SSE, XCR0_X87, XCR0_YMM, XSAVE_COMPONENTS, xsaveSize } from "./xsave.ts";

const VENDOR = "GenuineIntel";
const CACHE_LINE_BYTES = 64;

export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** Where CPUID reports a feature: leaf (subleaf 0), register, bit. */
export type FeatureBit = readonly [leaf: number, register: "ebx" | "ecx" | "edx", bit: number];

/** By the names that the opcode tables use; a feature without instructions of its own has a name not found there. */
const V2_FEATURES: Readonly<Record<string, FeatureBit>> = {
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
};

/** What x86-64-v3 has besides. */
const V3_FEATURES: Readonly<Record<string, FeatureBit>> = {
  ...V2_FEATURES,
  fma: [1, "ecx", 12],
  avx: [1, "ecx", 28],
  f16c: [1, "ecx", 29],
  bmi1: [7, "ebx", 3],
  avx2: [7, "ebx", 5],
  bmi2: [7, "ebx", 8],
  lzcnt: [0x80000001, "ecx", 5],
};

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

export type ModelName = "v2" | "v3";

/** A kind of processor. */
export class ProcessorModel {
  /** Instructions of the opcode tables that need another feature raise #UD. */
  readonly features: ReadonlySet<string>;

  constructor(
    /** As `--cpu` names it. */
    readonly name: ModelName,
    private readonly featureBits: Readonly<Record<string, FeatureBit>>,
    /** Leaf 1, EAX: family, model and stepping of the real processor whose features are most like these. */
    readonly signature: number,
    /** State components that XSAVE knows and that are enabled (SDM vol. 1, 13.3). */
    readonly xcr0: number,
  ) {
    this.features = new Set(Object.keys(featureBits));
  }

  /** CPUID; leaf and subleaf are unsigned. Beyond the last leaf Intel's processors answer as for the last basic one. */
  cpuid(leaf: number, subleaf: number): CpuidResult {
    if (leaf <= MAXIMUM_BASIC) return this.basicLeaf(leaf, subleaf);
    if (leaf >= 0x80000000 && leaf <= MAXIMUM_EXTENDED) return this.extendedLeaf(leaf);
    return this.basicLeaf(MAXIMUM_BASIC, subleaf);
  }

  private featuresOf(leaf: number): CpuidResult {
    const result = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    for (const [at, register, bit] of Object.values(this.featureBits)) {
      if (at === leaf) result[register] |= 1 << bit;
    }
    return result;
  }

  private basicLeaf(leaf: number, subleaf: number): CpuidResult {
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
        return { ...this.featuresOf(1), eax: this.signature, ebx };
      }
      case 0x2: // One round; FFH: the caches are in leaf 4.
        return { ...NOTHING, eax: 0x0000ff01 };
      case 0x4:
        return cache(subleaf);
      case 0x7:
        return subleaf === 0 ? this.featuresOf(7) : NOTHING;
      case 0xb:
        return topology(subleaf);
      case 0xd:
        return this.stateLeaf(subleaf);
      default:
        return NOTHING;
    }
  }

  /** Leaf 0DH: what XSAVE saves. There are no extensions (subleaf 1). */
  private stateLeaf(subleaf: number): CpuidResult {
    if (subleaf === 0) {
      const size = xsaveSize(this.xcr0);
      return { eax: this.xcr0, ebx: size, ecx: size, edx: 0 };
    }
    const component = XSAVE_COMPONENTS.find(({ bit }) => bit === subleaf && (this.xcr0 >> bit) & 1);
    return component === undefined ? NOTHING : { ...NOTHING, eax: component.size, ebx: component.offset };
  }

  private extendedLeaf(leaf: number): CpuidResult {
    switch (leaf) {
      case 0x80000000:
        return { ...NOTHING, eax: MAXIMUM_EXTENDED };
      case 0x80000001:
        return this.featuresOf(0x80000001);
      case 0x80000002:
      case 0x80000003:
      case 0x80000004:
        return registers(`osv-vm x86-64-${this.name}`, (leaf - 0x80000002) * 16);
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
}

/** The models that there are, by name. */
export const MODELS = {
  /** Signature of a Goldmont Plus: no AVX. */
  v2: new ProcessorModel("v2", V2_FEATURES, 0x000706a1, XCR0_X87 | XCR0_SSE),
  /** Signature of an Alder Lake-N: AVX2 and SHA, no AVX-512. */
  v3: new ProcessorModel("v3", V3_FEATURES, 0x000b06e0, XCR0_X87 | XCR0_SSE | XCR0_YMM),
} as const satisfies Record<ModelName, ProcessorModel>;

export const DEFAULT_MODEL: ProcessorModel = MODELS.v3;

/** What any model has: instructions that are defined. Those of operating systems are in cpu/system/system-model.ts. */
export const IMPLEMENTED_FEATURES: ReadonlySet<string> = MODELS.v3.features;
