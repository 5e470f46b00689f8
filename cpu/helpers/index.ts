/** Registers every helper. */

import "./crc32c.ts";
import "./decimal.ts";
import "./divide.ts";
import "./fpu-state.ts";
import "./identification.ts";
import "./privileged.ts";
import "./segments.ts";
import "./sse.ts";
import "./string-compare.ts";
import "./strings.ts";
import "./system.ts";
import "./x87/index.ts";
