/** What the machine's options are where the command line does not say. */

import { DEFAULT_MODEL } from "../cpu/model.ts";
import type { MachineOptions } from "./machine-options.ts";

export const MIB = 2 ** 20;

export const DEFAULT_OPTIONS: MachineOptions = {
  ro: false,
  env: [],
  memory: 512 * MIB,
  engine: { engines: ["jit"] },
  jitMemory: 64 * MIB,
  cpu: DEFAULT_MODEL.name,
  verbose: false,
  trace: [],
  deterministic: false,
  stats: false,
};
