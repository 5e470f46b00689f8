/**
 * CPU features, by the names of the opcode tables: which rows exist on our processor, and which the host must have to be
 * an oracle for them.
 */

import type { OpcodeRow } from "../../cpu/decoder/instruction.ts";
import { IMPLEMENTED_FEATURES } from "../../cpu/model.ts";

/** The names of /proc/cpuinfo where they differ. */
const HOST_NAMES: Readonly<Record<string, string>> = {
  sse3: "pni",
  sse41: "sse4_1",
  sse42: "sse4_2",
  cmpxchg16b: "cx16",
  pclmul: "pclmulqdq",
  sha: "sha_ni",
  lzcnt: "abm",
  rdtscp: "rdtscp",
};

/** What our processor has. */
export const OUR_FEATURES: ReadonlySet<string> = IMPLEMENTED_FEATURES;

/** Rows of our processor that the host does not have; without them it is no oracle for the rest of a case either. */
export function missingOnHost(rows: readonly OpcodeRow[], host: ReadonlySet<string>): ReadonlySet<string> {
  const missing = new Set<string>();
  for (const { feature } of rows) {
    if (feature !== undefined && OUR_FEATURES.has(feature) && !host.has(HOST_NAMES[feature] ?? feature)) {
      missing.add(feature);
    }
  }
  return missing;
}
