import { CommandError } from "./command-error.ts";
import type { MachineOptions } from "./machine-options.ts";

export async function shell(_options: MachineOptions, _version: string): Promise<number> {
  throw new CommandError("the kernel is not there yet");
}
