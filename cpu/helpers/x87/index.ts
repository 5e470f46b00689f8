/** Helpers of the x87 instructions. */
import "./arithmetic.ts";
import "./environment.ts";
import "./transfer.ts";
