/** MMX and SSE to SSE4.2, AES, PCLMULQDQ, SHA. */
import "./convert.ts";
import "./float.ts";
import "./integer.ts";
import "./moves.ts";
import "./shuffles.ts";
import "./special.ts";
