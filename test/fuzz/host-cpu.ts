/** Which processor this is: the oracle's. */

import { existsSync, readFileSync } from "node:fs";

/** Vendor of the host CPU as CPUID leaf 0 spells it; empty where /proc/cpuinfo does not tell. */
export function hostVendor(): string {
  if (!existsSync("/proc/cpuinfo")) return "";
  return /^vendor_id\s*:\s*(\S+)/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
}
