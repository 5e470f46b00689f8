import { CommandError } from "./command-error.ts";
import type { MachineOptions } from "./machine-options.ts";

export async function run(_name: string, _parameters: string[], _options: MachineOptions): Promise<number> {
  throw new CommandError("run: the kernel is not there yet");
}
