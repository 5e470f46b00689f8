/** Runs once before the system tests: osv-vm must be built. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DIST, REPOSITORY } from "../../scripts/repository.ts";

export function setup(): void {
  if (existsSync(join(DIST, "cli.cjs"))) return;
  execFileSync("npm", ["run", "--silent", "build"], { cwd: REPOSITORY, stdio: "inherit" });
}
