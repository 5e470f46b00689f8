#!/usr/bin/env node
// Starts the built command (dist/cli.js, made by `npm install`).

import { existsSync } from "node:fs";

const command = new URL("./dist/cli.js", import.meta.url);
if (existsSync(command)) {
  await import(command.href);
} else {
  process.stderr.write("osv-vm: not built yet: run `npm install` in the folder of osv-vm first\n");
  process.exitCode = 125;
}
