import { describe, expect, it } from "vitest";
import { missingPrograms, runUnderQemu } from "./testing/qemu.ts";
import { SYSTEM_ENGINES, SystemMachine } from "./testing/system-machine.ts";

const missing = missingPrograms();
const isLeftOut = missing.length > 0 && process.env.CI !== "true"; // CI must run them
if (isLeftOut) console.log(`skipped: images under QEMU: ${missing.join(", ")} not installed`);

describe.skipIf(isLeftOut)("test images print what they print under QEMU", () => {
  it.each([
    ["exceptions", "exceptions and page faults of a 64-bit kernel"],
    ["user", "user mode, system calls, SMEP and SMAP"],
    ["protected", "32-bit protected mode, PAE, call gates, real mode"],
    ["tasks", "task switches, virtual-8086 mode"],
    ["debug", "breakpoints on code and data, single steps"],
    ["vectors", "VEX in 32-bit code"],
  ])("%s: %s", (name) => {
    const { image, output } = runUnderQemu(name);
    expect(output).toMatch(/done\n$/);
    for (const engine of SYSTEM_ENGINES) {
      const machine = new SystemMachine(engine);
      machine.loadMultiboot(image);
      expect([engine, machine.run()]).toEqual([engine, output]);
      expect(machine.exitCode).toBe(1);
    }
  });
});
