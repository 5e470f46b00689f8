/**
 * MMX, SSE to SSE4.2, AES, PCLMULQDQ, SHA and GFNI in their legacy encodings: Intel SDM vol. 2, appendix A, tables A-3 to
 * A-6. VEX forms are in vex.ts.
 */

import type { TableSection } from "../notation.ts";

/** Operations on packed integers that exist for MMX (no prefix) and XMM registers (66) alike. */
const packed = (rows: string): string =>
  rows
    .split("\n")
    .map((row) => {
      const [opcode, name, ...rest] = row.split(" ");
      const attributes = rest.length > 0 ? ` ${rest.join(" ")}` : "";
      return `np:${opcode} ${name} +Pq,Qq${attributes}\n66:${opcode} ${name} +Vdq,Wdq${attributes}`;
    })
    .join("\n");

/** Floating-point operations with packed single, packed double, scalar single and scalar double forms. */
const floating = (rows: string): string =>
  rows
    .split("\n")
    .map((row) => {
      const [opcode, name] = row.split(" ");
      // Square roots only write their destination; the others also read it.
      const to = name === "sqrt" ? "=" : "+";
      return `np:${opcode} ${name}ps ${to}Vdq,Wdq
66:${opcode} ${name}pd ${to}Vdq,Wdq
F3:${opcode} ${name}ss ${to}Vd,Wd
F2:${opcode} ${name}sd ${to}Vq,Wq`;
    })
    .join("\n");

export const SSE: readonly TableSection[] = [
  {
    map: "0f",
    rows: `${floating(`51 sqrt
58 add
59 mul
5C sub
5D min
5E div
5F max`)}
${packed(`63 packsswb
64 pcmpgtb
65 pcmpgtw
66 pcmpgtd
67 packuswb
68 punpckhbw
69 punpckhwd
6A punpckhdq
6B packssdw
74 pcmpeqb
75 pcmpeqw
76 pcmpeqd
D1 psrlw
D2 psrld
D3 psrlq
D4 paddq
D5 pmullw
D8 psubusb
D9 psubusw
DA pminub
DB pand
DC paddusb
DD paddusw
DE pmaxub
DF pandn
E0 pavgb
E1 psraw
E2 psrad
E3 pavgw
E4 pmulhuw
E5 pmulhw
E8 psubsb
E9 psubsw
EA pminsw
EB por
EC paddsb
ED paddsw
EE pmaxsw
EF pxor
F1 psllw
F2 pslld
F3 psllq
F4 pmuludq
F5 pmaddwd
F6 psadbw
F8 psubb
F9 psubw
FA psubd
FB psubq
FC paddb
FD paddw
FE paddd`)}
np:10 movups =Vdq,Wdq unaligned
66:10 movupd =Vdq,Wdq unaligned
F3:10m movss =Vdq,Md
F3:10r movss =Vd,Ud
F2:10m movsd =Vdq,Mq
F2:10r movsd =Vq,Uq
np:11 movups =Wdq,Vdq unaligned
66:11 movupd =Wdq,Vdq unaligned
F3:11 movss =Wd,Vd
F2:11 movsd =Wq,Vq
np:12m movlps =Vq,Mq
np:12r movhlps +Vdq,Udq
66:12 movlpd =Vq,Mq
F3:12 movsldup =Vdq,Wdq @sse3
F2:12 movddup =Vdq,Wq @sse3
np:13 movlps =Mq,Vq
66:13 movlpd =Mq,Vq
np:14 unpcklps +Vdq,Wdq
66:14 unpcklpd +Vdq,Wdq
np:15 unpckhps +Vdq,Wdq
66:15 unpckhpd +Vdq,Wdq
np:16m movhps +Vdq,Mq
np:16r movlhps +Vdq,Uq
66:16 movhpd +Vdq,Mq
F3:16 movshdup =Vdq,Wdq @sse3
np:17 movhps =Mq,Vdq
66:17 movhpd =Mq,Vdq
np:28 movaps =Vdq,Wdq
66:28 movapd =Vdq,Wdq
np:29 movaps =Wdq,Vdq
66:29 movapd =Wdq,Vdq
np:2A cvtpi2ps =Vq,Qq
66:2A cvtpi2pd =Vdq,Qq
F3:2A cvtsi2ss =Vd,Ey
F2:2A cvtsi2sd =Vq,Ey
np:2B movntps =Mdq,Vdq
66:2B movntpd =Mdq,Vdq
np:2C cvttps2pi =Pq,Wq
66:2C cvttpd2pi =Pq,Wdq
F3:2C cvttss2si =Gy,Wd
F2:2C cvttsd2si =Gy,Wq
np:2D cvtps2pi =Pq,Wq
66:2D cvtpd2pi =Pq,Wdq
F3:2D cvtss2si =Gy,Wd
F2:2D cvtsd2si =Gy,Wq
np:2E ucomiss Vd,Wd
66:2E ucomisd Vq,Wq
np:2F comiss Vd,Wd
66:2F comisd Vq,Wq
np:50 movmskps =Gy,Udq
66:50 movmskpd =Gy,Udq
np:52 rsqrtps =Vdq,Wdq
F3:52 rsqrtss =Vd,Wd
np:53 rcpps =Vdq,Wdq
F3:53 rcpss =Vd,Wd
np:54 andps +Vdq,Wdq
66:54 andpd +Vdq,Wdq
np:55 andnps +Vdq,Wdq
66:55 andnpd +Vdq,Wdq
np:56 orps +Vdq,Wdq
66:56 orpd +Vdq,Wdq
np:57 xorps +Vdq,Wdq
66:57 xorpd +Vdq,Wdq
np:5A cvtps2pd =Vdq,Wq
66:5A cvtpd2ps =Vdq,Wdq
F3:5A cvtss2sd =Vq,Wd
F2:5A cvtsd2ss =Vd,Wq
np:5B cvtdq2ps =Vdq,Wdq
66:5B cvtps2dq =Vdq,Wdq
F3:5B cvttps2dq =Vdq,Wdq
np:60 punpcklbw +Pq,Qd
66:60 punpcklbw +Vdq,Wdq
np:61 punpcklwd +Pq,Qd
66:61 punpcklwd +Vdq,Wdq
np:62 punpckldq +Pq,Qd
66:62 punpckldq +Vdq,Wdq
66:6C punpcklqdq +Vdq,Wdq
66:6D punpckhqdq +Vdq,Wdq
np:6E movd =Pq,Ed w0
np:6E movq =Pq,Eq w1
66:6E movd =Vdq,Ed w0
66:6E movq =Vdq,Eq w1
np:6F movq =Pq,Qq
66:6F movdqa =Vdq,Wdq
F3:6F movdqu =Vdq,Wdq unaligned
np:70 pshufw =Pq,Qq,Ib
66:70 pshufd =Vdq,Wdq,Ib
F3:70 pshufhw =Vdq,Wdq,Ib
F2:70 pshuflw =Vdq,Wdq,Ib
np:71/2 psrlw +Nq,Ib
66:71/2 psrlw +Udq,Ib
np:71/4 psraw +Nq,Ib
66:71/4 psraw +Udq,Ib
np:71/6 psllw +Nq,Ib
66:71/6 psllw +Udq,Ib
np:72/2 psrld +Nq,Ib
66:72/2 psrld +Udq,Ib
np:72/4 psrad +Nq,Ib
66:72/4 psrad +Udq,Ib
np:72/6 pslld +Nq,Ib
66:72/6 pslld +Udq,Ib
np:73/2 psrlq +Nq,Ib
66:73/2 psrlq +Udq,Ib
66:73/3 psrldq +Udq,Ib
np:73/6 psllq +Nq,Ib
66:73/6 psllq +Udq,Ib
66:73/7 pslldq +Udq,Ib
np:77 emms
66:7C haddpd +Vdq,Wdq @sse3
F2:7C haddps +Vdq,Wdq @sse3
66:7D hsubpd +Vdq,Wdq @sse3
F2:7D hsubps +Vdq,Wdq @sse3
np:7E movd =Ed,Pd w0
np:7E movq =Eq,Pq w1
66:7E movd =Ed,Vd w0
66:7E movq =Eq,Vq w1
F3:7E movq =Vdq,Wq
np:7F movq =Qq,Pq
66:7F movdqa =Wdq,Vdq
F3:7F movdqu =Wdq,Vdq unaligned
np:C2 cmpps +Vdq,Wdq,Ib
66:C2 cmppd +Vdq,Wdq,Ib
F3:C2 cmpss +Vd,Wd,Ib
F2:C2 cmpsd +Vq,Wq,Ib
np:C4m pinsrw +Pq,Mw,Ib
np:C4r pinsrw +Pq,Ry,Ib
66:C4m pinsrw +Vdq,Mw,Ib
66:C4r pinsrw +Vdq,Ry,Ib
np:C5 pextrw =Gy,Nq,Ib
66:C5 pextrw =Gy,Udq,Ib
np:C6 shufps +Vdq,Wdq,Ib
66:C6 shufpd +Vdq,Wdq,Ib
66:D0 addsubpd +Vdq,Wdq @sse3
F2:D0 addsubps +Vdq,Wdq @sse3
66:D6m movq =Mq,Vq
66:D6r movq =Udq,Vq
F3:D6 movq2dq =Vdq,Nq
F2:D6 movdq2q =Pq,Uq
np:D7 pmovmskb =Gy,Nq
66:D7 pmovmskb =Gy,Udq
66:E6 cvttpd2dq =Vdq,Wdq
F3:E6 cvtdq2pd =Vdq,Wq
F2:E6 cvtpd2dq =Vdq,Wdq
np:E7 movntq =Mq,Pq
66:E7 movntdq =Mdq,Vdq
F2:F0 lddqu =Vdq,Mdq unaligned @sse3
np:F7 maskmovq Pq,Nq
66:F7 maskmovdqu Vdq,Udq`,
  },
  {
    map: "0f38",
    feature: "ssse3",
    rows: packed(`00 pshufb
01 phaddw
02 phaddd
03 phaddsw
04 pmaddubsw
05 phsubw
06 phsubd
07 phsubsw
08 psignb
09 psignw
0A psignd
0B pmulhrsw
1C pabsb
1D pabsw
1E pabsd`)
      // PABS only writes its destination.
      .replace(/(pabs. )\+/g, "$1="),
  },
  {
    map: "0f38",
    feature: "sse41",
    rows: `66:10 pblendvb +Vdq,Wdq,XMM0
66:14 blendvps +Vdq,Wdq,XMM0
66:15 blendvpd +Vdq,Wdq,XMM0
66:17 ptest Vdq,Wdq
66:20 pmovsxbw =Vdq,Wq
66:21 pmovsxbd =Vdq,Wd
66:22 pmovsxbq =Vdq,Ww
66:23 pmovsxwd =Vdq,Wq
66:24 pmovsxwq =Vdq,Wd
66:25 pmovsxdq =Vdq,Wq
66:28 pmuldq +Vdq,Wdq
66:29 pcmpeqq +Vdq,Wdq
66:2A movntdqa =Vdq,Mdq
66:2B packusdw +Vdq,Wdq
66:30 pmovzxbw =Vdq,Wq
66:31 pmovzxbd =Vdq,Wd
66:32 pmovzxbq =Vdq,Ww
66:33 pmovzxwd =Vdq,Wq
66:34 pmovzxwq =Vdq,Wd
66:35 pmovzxdq =Vdq,Wq
66:37 pcmpgtq +Vdq,Wdq @sse42
66:38 pminsb +Vdq,Wdq
66:39 pminsd +Vdq,Wdq
66:3A pminuw +Vdq,Wdq
66:3B pminud +Vdq,Wdq
66:3C pmaxsb +Vdq,Wdq
66:3D pmaxsd +Vdq,Wdq
66:3E pmaxuw +Vdq,Wdq
66:3F pmaxud +Vdq,Wdq
66:40 pmulld +Vdq,Wdq
66:41 phminposuw =Vdq,Wdq
np:C8 sha1nexte +Vdq,Wdq @sha
np:C9 sha1msg1 +Vdq,Wdq @sha
np:CA sha1msg2 +Vdq,Wdq @sha
np:CB sha256rnds2 +Vdq,Wdq,XMM0 @sha
np:CC sha256msg1 +Vdq,Wdq @sha
np:CD sha256msg2 +Vdq,Wdq @sha
66:CF gf2p8mulb +Vdq,Wdq @gfni
66:DB aesimc =Vdq,Wdq @aes
66:DC aesenc +Vdq,Wdq @aes
66:DD aesenclast +Vdq,Wdq @aes
66:DE aesdec +Vdq,Wdq @aes
66:DF aesdeclast +Vdq,Wdq @aes`,
  },
  {
    map: "0f3a",
    feature: "sse41",
    rows: `66:08 roundps =Vdq,Wdq,Ib
66:09 roundpd =Vdq,Wdq,Ib
66:0A roundss =Vd,Wd,Ib
66:0B roundsd =Vq,Wq,Ib
66:0C blendps +Vdq,Wdq,Ib
66:0D blendpd +Vdq,Wdq,Ib
66:0E pblendw +Vdq,Wdq,Ib
np:0F palignr +Pq,Qq,Ib @ssse3
66:0F palignr +Vdq,Wdq,Ib @ssse3
66:14m pextrb =Mb,Vdq,Ib
66:14r pextrb =Ry,Vdq,Ib
66:15m pextrw =Mw,Vdq,Ib
66:15r pextrw =Ry,Vdq,Ib
66:16 pextrd =Ed,Vdq,Ib w0
66:16 pextrq =Eq,Vdq,Ib w1
66:17m extractps =Md,Vdq,Ib
66:17r extractps =Ry,Vdq,Ib
66:20m pinsrb +Vdq,Mb,Ib
66:20r pinsrb +Vdq,Ry,Ib
66:21m insertps +Vdq,Md,Ib
66:21r insertps +Vdq,Udq,Ib
66:22 pinsrd +Vdq,Ed,Ib w0
66:22 pinsrq +Vdq,Eq,Ib w1
66:40 dpps +Vdq,Wdq,Ib
66:41 dppd +Vdq,Wdq,Ib
66:42 mpsadbw +Vdq,Wdq,Ib
66:44 pclmulqdq +Vdq,Wdq,Ib @pclmul
66:60 pcmpestrm Vdq,Wdq,Ib unaligned @sse42
66:61 pcmpestri Vdq,Wdq,Ib unaligned @sse42
66:62 pcmpistrm Vdq,Wdq,Ib unaligned @sse42
66:63 pcmpistri Vdq,Wdq,Ib unaligned @sse42
np:CC sha1rnds4 +Vdq,Wdq,Ib @sha
66:CE gf2p8affineqb +Vdq,Wdq,Ib @gfni
66:CF gf2p8affineinvqb +Vdq,Wdq,Ib @gfni
66:DF aeskeygenassist =Vdq,Wdq,Ib @aes`,
  },
];
