/** `npm run docs`: writes the generated pages of docs/. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SYSCALL_TABLE } from "../kernel/syscalls/table.ts";
import { REPOSITORY } from "./repository.ts";
import { describeSyscalls } from "./syscall-docs.ts";

writeFileSync(join(REPOSITORY, "docs/syscalls.md"), describeSyscalls(SYSCALL_TABLE));
