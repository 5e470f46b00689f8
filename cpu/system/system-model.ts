/** What a processor has for operating systems, and what CPUID tells them (Intel SDM vol. 2, CPUID). */

import type { CpuidResult, FeatureBit, ProcessorModel } from "../model.ts";
import { xsaveSize } from "../xsave.ts";

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
  pcid: [1, "ecx", 17],
  x2apic: [1, "ecx", 21],
  tscDeadline: [1, "ecx", 24],
  hypervisor: [1, "ecx", 31],
  serialize: [7, "edx", 14],
  tscAdjust: [7, "ebx", 1],
  smep: [7, "ebx", 7],
  invpcid: [7, "ebx", 10],
  smap: [7, "ebx", 20],
  specCtrl: [7, "edx", 26],
  archCapabilities: [7, "edx", 29],
  pdpe1gb: [0x80000001, "edx", 26],
} as const satisfies Record<string, FeatureBit>;

/** The same on every model. */
export const SYSTEM_FEATURES: ReadonlySet<string> = new Set(Object.keys(SYSTEM_FEATURE_BITS));

/** All features of a processor on a whole PC; instructions of the opcode tables that need another one raise #UD. */
export function systemFeatures(model: ProcessorModel): ReadonlySet<string> {
  return new Set([...model.features, ...SYSTEM_FEATURES]);
}

/** What a leaf says besides on a whole PC. */
function featuresOf(leaf: number): CpuidResult {
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

/** What of the processor's state CPUID shows. */
export interface VisibleState {
  /** CR4.OSXSAVE */
  readonly osxsave: boolean;
  readonly xcr0: number;
}

/** CPUID as an operating system gets it. */
export function systemCpuid(
  model: ProcessorModel,
  leaf: number,
  subleaf: number,
  { osxsave, xcr0 }: VisibleState,
): CpuidResult {
  const common = model.cpuid(leaf, subleaf);
  if (leaf === 7 && subleaf !== 0)
    return { eax: 0, ebx: 0, ecx: 0, edx: subleaf === LAST_SUBLEAF_OF_7 ? BHI_CTRL : 0 };
  // What XSAVE needs for the components that are enabled now.
  if (leaf === 0xd && subleaf === 0) return { ...common, ebx: xsaveSize(xcr0) };
  const { ebx, ecx, edx } = featuresOf(leaf);
  const hidden = leaf === 1 && !osxsave ? OSXSAVE : 0;
  return {
    eax: leaf === 7 ? LAST_SUBLEAF_OF_7 : common.eax,
    ebx: common.ebx | ebx,
    ecx: (common.ecx | ecx) & ~hidden,
    edx: common.edx | edx,
  };
}
