/** Registers the definitions of the general-purpose instructions. */

import "./arithmetic.ts";
import "./bit-manipulation.ts";
import "./bits.ts";
import "./conditional.ts";
import "./control.ts";
import "./divide.ts";
import "./exchange.ts";
import "./flag-instructions.ts";
import "./hints.ts";
import "./legacy.ts";
import "./logic.ts";
import "./moves.ts";
import "./multiply.ts";
import "./rotates.ts";
import "./segments.ts";
import "./shifts.ts";
import "./stack.ts";
import "./strings.ts";
