/** AVX, AVX2, FMA, F16C: instructions with a VEX prefix on vector registers. */
import "../sse/index.ts";
import "./derived.ts";
import "./fused.ts";
import "./gathers.ts";
import "./half-precision.ts";
import "./masks.ts";
import "./moves.ts";
import "./permutations.ts";
import "./variable-shifts.ts";
