/** All commands of the shell, by name. */

import type { Builtin } from "../builtin.ts";
import { CONTENT_COMMANDS } from "./content.ts";
import { ENVIRONMENT_COMMANDS } from "./environment.ts";
import { FILE_COMMANDS } from "./files.ts";
import { HELP_COMMANDS } from "./help.ts";
import { LIST_COMMANDS } from "./list.ts";
import { MEMORY_COMMANDS } from "./memory.ts";
import { MOUNT_COMMANDS } from "./mounts.ts";
import { PROCESS_COMMANDS } from "./processes.ts";
import { SYSTEM_COMMANDS } from "./system.ts";

export const BUILTINS: ReadonlyMap<string, Builtin> = new Map(
  [
    ...CONTENT_COMMANDS,
    ...ENVIRONMENT_COMMANDS,
    ...FILE_COMMANDS,
    ...HELP_COMMANDS,
    ...LIST_COMMANDS,
    ...MEMORY_COMMANDS,
    ...MOUNT_COMMANDS,
    ...PROCESS_COMMANDS,
    ...SYSTEM_COMMANDS,
  ].map((command) => [command.name, command]),
);
