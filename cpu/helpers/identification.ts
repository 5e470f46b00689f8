/** CPUID; the answers are in cpu/model.ts. */

import { defineHelper } from "../helpers.ts";
import { type CpuidResult, cpuid, systemCpuid } from "../model.ts";
import { Cr4 } from "../system/control-bits.ts";
import type { SystemState } from "../system/system-state.ts";

function answer(system: SystemState, leaf: number, subleaf: number): CpuidResult {
  const foreign = system.platform.cpuid(leaf, subleaf);
  return foreign ?? systemCpuid(leaf, subleaf, (system.cr4 & Cr4.OSXSAVE) !== 0);
}

/** Slots 0 and 1: EAX and ECX; EAX, EBX, ECX and EDX to slots 0 to 3. */
defineHelper("cpuid", (cpu) => {
  const leaf = cpu.argumentI32(0) >>> 0;
  const subleaf = cpu.argumentI32(1) >>> 0;
  const { eax, ebx, ecx, edx } =
    cpu.system === undefined ? cpuid(leaf, subleaf) : answer(cpu.system, leaf, subleaf);
  cpu.setResult(0, eax);
  cpu.setResult(1, ebx);
  cpu.setResult(2, ecx);
  cpu.setResult(3, edx);
});
