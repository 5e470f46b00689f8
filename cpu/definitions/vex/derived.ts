/** Which instructions are derived from legacy ones (derive.ts). */

import { defineWithContext } from "../registry.ts";
import { compareToMask } from "../sse/float-compare.ts";
import { SHAPES } from "../sse/float-shape.ts";
import { type Deviation, derived, derivedFrom, legacyDefinition } from "./derive.ts";
import { zero } from "./wide.ts";

/** dst = operation(src1, src2), where the legacy instruction has dst = operation(dst, src). */
const WITH_FIRST_SOURCE =
  "addps addpd addss addsd mulps mulpd mulss mulsd subps subpd subss subsd minps minpd minss minsd divps divpd " +
  "divss divsd maxps maxpd maxss maxsd sqrtss sqrtsd rsqrtss rcpss haddpd haddps hsubpd hsubps addsubpd addsubps " +
  "dpps dppd roundss roundsd cvtsi2ss cvtsi2sd cvtss2sd cvtsd2ss " +
  "andps andpd andnps andnpd orps orpd xorps xorpd unpcklps unpcklpd unpckhps unpckhpd shufps " +
  "movss movsd movlps movhlps movlpd movhps movlhps movhpd insertps pinsrb pinsrw pinsrd pinsrq " +
  "blendvps blendvpd pblendvb pblendw palignr pshufb " +
  "punpcklbw punpcklwd punpckldq punpcklqdq punpckhbw punpckhwd punpckhdq punpckhqdq " +
  "packsswb packuswb packssdw packusdw " +
  "pcmpeqb pcmpeqw pcmpeqd pcmpeqq pcmpgtb pcmpgtw pcmpgtd pcmpgtq " +
  "psrlw psrld psrlq psraw psrad psllw pslld psllq psrldq pslldq " +
  "paddb paddw paddd paddq paddsb paddsw paddusb paddusw psubb psubw psubd psubq psubsb psubsw psubusb psubusw " +
  "pmullw pmulld pmulhw pmulhuw pmulhrsw pmuludq pmuldq pmaddwd pmaddubsw psadbw pavgb pavgw " +
  "pminub pminuw pminud pminsb pminsw pminsd pmaxub pmaxuw pmaxud pmaxsb pmaxsw pmaxsd " +
  "pand pandn por pxor psignb psignw psignd phaddw phaddd phaddsw phsubw phsubd phsubsw " +
  "aesenc aesenclast aesdec aesdeclast pclmulqdq";

/** dst = operation(src) in both. */
const WITHOUT_FIRST_SOURCE =
  "sqrtps sqrtpd rsqrtps rcpps roundps roundpd cvtdq2ps cvtps2dq cvttps2dq " +
  "movd movq movddup movsldup movshdup pshufd pshufhw pshuflw pabsb pabsw pabsd phminposuw " +
  "pextrb pextrw pextrd pextrq extractps aesimc aeskeygenassist";

const WIDENING =
  "cvtps2pd cvtdq2pd pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq " +
  "pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq";

const NARROWING = "cvtpd2ps cvtpd2dq cvttpd2dq";

/** Bits of the immediate that are for the lower half. */
const SPLIT_IMMEDIATE: Readonly<Record<string, number>> = { blendps: 4, blendpd: 2, shufpd: 2, mpsadbw: 3 };

/** Nothing differs but the encoding: they write no vector register. */
const SAME =
  "ucomiss ucomisd comiss comisd cvtss2si cvtsd2si cvttss2si cvttsd2si ldmxcsr stmxcsr maskmovdqu pcmpestri pcmpistri";

function defineAll(names: string, hasFirstSource: boolean, deviation: Deviation = {}): void {
  for (const name of names.split(" ")) {
    defineWithContext(`v${name}`, derivedFrom(name, hasFirstSource, deviation));
  }
}
defineAll(WITH_FIRST_SOURCE, true);
defineAll(WITHOUT_FIRST_SOURCE, false);
defineAll(WIDENING, false, { widens: true });
defineAll(NARROWING, false, { narrows: true });
for (const [name, immediateBits] of Object.entries(SPLIT_IMMEDIATE)) defineAll(name, true, { immediateBits });

for (const shape of SHAPES) defineWithContext(`vcmp${shape.suffix}`, derived(compareToMask(shape, 32), true));

for (const name of SAME.split(" ")) defineWithContext(`v${name}`, legacyDefinition(name));

/** Their result is in XMM0, which they do not name. */
for (const name of ["pcmpestrm", "pcmpistrm"]) {
  const legacy = legacyDefinition(name);
  defineWithContext(`v${name}`, (b, operands, context) => {
    legacy(b, operands, context);
    b.setXmm(0, zero(b), "high");
  });
}
