/** CPUID and XGETBV; the answers are in cpu/model.ts. */

import { defineHelper } from "../helpers.ts";

/** Slots 0 and 1: EAX and ECX; EAX, EBX, ECX and EDX to slots 0 to 3. */
defineHelper("cpuid", (cpu) => {
  const { eax, ebx, ecx, edx } = cpu.model.cpuid(cpu.argumentI32(0) >>> 0, cpu.argumentI32(1) >>> 0);
  cpu.setResult(0, eax);
  cpu.setResult(1, ebx);
  cpu.setResult(2, ecx);
  cpu.setResult(3, edx);
});

/** XCR0 to slot 0. */
defineHelper("xcr0", (cpu) => cpu.setResult(0, cpu.model.xcr0));
