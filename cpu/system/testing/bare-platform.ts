import type { Platform } from "../../bus.ts";

/** A platform without devices, but for those that are given. */
export function barePlatform(parts: Partial<Platform> = {}): Platform {
  return {
    bus: {
      readPort: () => 0,
      writePort: () => undefined,
      readMemory: () => 0,
      writeMemory: () => undefined,
    },
    pageKind: () => "ram",
    acknowledgeInterrupt: () => -1,
    taskPriority: 0,
    readMsr: () => undefined,
    writeMsr: () => false,
    cpuid: () => undefined,
    ...parts,
  };
}
