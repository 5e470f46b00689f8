/** Registers every instruction definition. */

import "./fpu-state.ts";
import "./integer/index.ts";
import "./privileged.ts";
import "./sse/index.ts";
import "./system.ts";
import "./vex/index.ts";
import "./x87/index.ts";
