/** The x87 floating-point unit. */
import "./arithmetic.ts";
import "./environment.ts";
import "./transfer.ts";
