/** The x87 floating-point unit. */
import "./arithmetic.ts";
import "./compare.ts";
import "./environment.ts";
import "./transfer.ts";
