/** CPUID and XGETBV; the answers are in cpu/model.ts. */

import { defineHelper } from "../helpers.ts";
import type { CpuidResult } from "../model.ts";
import { Cr4 } from "../system/control-bits.ts";
import { systemCpuid } from "../system/system-model.ts";
import type { SystemState } from "../system/system-state.ts";

function answer(system: SystemState, leaf: number, subleaf: number): CpuidResult {
  const foreign = system.platform.cpuid(leaf, subleaf);
  if (foreign !== undefined) return foreign;
  return systemCpuid(system.cpu.model, leaf, subleaf, {
    xcr0: system.xcr0,
    osxsave: (system.cr4 & Cr4.OSXSAVE) !== 0,
  });
}

/** Slots 0 and 1: EAX and ECX; EAX, EBX, ECX and EDX to slots 0 to 3. */
defineHelper("cpuid", (cpu) => {
  const leaf = cpu.argumentI32(0) >>> 0;
  const subleaf = cpu.argumentI32(1) >>> 0;
  const { system, model } = cpu;
  const { eax, ebx, ecx, edx } =
    system === undefined ? model.cpuid(leaf, subleaf) : answer(system, leaf, subleaf);
  cpu.setResult(0, eax);
  cpu.setResult(1, ebx);
  cpu.setResult(2, ecx);
  cpu.setResult(3, edx);
});

/** XCR0 to slot 0. */
defineHelper("xcr0", (cpu) => cpu.setResult(0, cpu.xcr0));
