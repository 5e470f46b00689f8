/** MMX and SSE to SSE4.2, AES, PCLMULQDQ, SHA. */
import "./aes.ts";
import "./carry-less.ts";
import "./convert.ts";
import "./float.ts";
import "./float-compare.ts";
import "./integer.ts";
import "./moves.ts";
import "./round.ts";
import "./sha.ts";
import "./shuffles.ts";
import "./special.ts";
