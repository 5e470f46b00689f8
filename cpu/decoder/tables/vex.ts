/** AVX, AVX2, FMA, F16C, BMI and other VEX-encoded instructions: Intel SDM vol. 2, 2.3 and appendix A. */

import type { TableSection } from "../notation.ts";

/** Rewrites every line of `rows`, split into words. */
const each = (rows: string, rewrite: (opcode: string, name: string, ...rest: string[]) => string): string =>
  rows
    .split("\n")
    .map((row) => {
      const [opcode, name, ...rest] = row.split(" ");
      return rewrite(opcode, name, ...rest);
    })
    .join("\n");

/** Integer operations: 128 bits are AVX, 256 bits AVX2. The third word is the operands, as a rule the usual three. */
const integer = (rows: string): string =>
  each(rows, (opcode, name, operands = "=Vx,Hx,Wx") => {
    return `66:${opcode} ${name} ${operands} l0\n66:${opcode} ${name} ${operands} l1 @avx2`;
  });

/** Extensions of packed integers to wider ones: half, a quarter or an eighth of the vector is read. */
const extension = (rows: string): string =>
  each(rows, (opcode, name, narrow, wide) => {
    return `66:${opcode} ${name} =Vx,W${narrow} l0\n66:${opcode} ${name} =Vx,W${wide} l1 @avx2`;
  });

/** Floating-point operations with packed single, packed double, scalar single and scalar double forms. */
const floating = (rows: string): string =>
  each(
    rows,
    (opcode, name) => `np:${opcode} ${name}ps =Vx,Hx,Wx
66:${opcode} ${name}pd =Vx,Hx,Wx
F3:${opcode} ${name}ss =Vdq,Hdq,Wd
F2:${opcode} ${name}sd =Vdq,Hdq,Wq`,
  );

/** FMA: 96, A6 and B6 begin the three operand orders. */
const fused = ["132", "213", "231"]
  .map((order, i) =>
    each(
      `6 fmaddsub
7 fmsubadd
8 fmadd
A fmsub
C fnmadd
E fnmsub`,
      (low, name) => {
        const packed = `66:${"9AB"[i]}${low} v${name}${order}p`;
        const all = `${packed}s +Vx,Hx,Wx w0\n${packed}d +Vx,Hx,Wx w1`;
        if (name === "fmaddsub" || name === "fmsubadd") return all;
        const scalar = `66:${"9AB"[i]}${(Number.parseInt(low, 16) + 1).toString(16).toUpperCase()} v${name}${order}s`;
        return `${all}\n${scalar}s +Vdq,Hdq,Wd w0\n${scalar}d +Vdq,Hdq,Wq w1`;
      },
    ),
  )
  .join("\n");

/** Operations on AVX-512 mask registers, named with the suffix of their width. */
const masks = (opcode: string, name: string, operands: string): string =>
  `np:${opcode} ${name}w ${operands} w0
66:${opcode} ${name}b ${operands} w0
np:${opcode} ${name}q ${operands} w1
66:${opcode} ${name}d ${operands} w1`;

export const VEX: readonly TableSection[] = [
  {
    map: "0f",
    encoding: "vex",
    feature: "avx",
    rows: `${floating(`58 vadd
59 vmul
5C vsub
5D vmin
5E vdiv
5F vmax`)}
${integer(`60 vpunpcklbw
61 vpunpcklwd
62 vpunpckldq
63 vpacksswb
64 vpcmpgtb
65 vpcmpgtw
66 vpcmpgtd
67 vpackuswb
68 vpunpckhbw
69 vpunpckhwd
6A vpunpckhdq
6B vpackssdw
6C vpunpcklqdq
6D vpunpckhqdq
71/2 vpsrlw =Hx,Ux,Ib
71/4 vpsraw =Hx,Ux,Ib
71/6 vpsllw =Hx,Ux,Ib
72/2 vpsrld =Hx,Ux,Ib
72/4 vpsrad =Hx,Ux,Ib
72/6 vpslld =Hx,Ux,Ib
73/2 vpsrlq =Hx,Ux,Ib
73/3 vpsrldq =Hx,Ux,Ib
73/6 vpsllq =Hx,Ux,Ib
73/7 vpslldq =Hx,Ux,Ib
74 vpcmpeqb
75 vpcmpeqw
76 vpcmpeqd
D1 vpsrlw =Vx,Hx,Wdq
D2 vpsrld =Vx,Hx,Wdq
D3 vpsrlq =Vx,Hx,Wdq
D4 vpaddq
D5 vpmullw
D7 vpmovmskb =Gy,Ux
D8 vpsubusb
D9 vpsubusw
DA vpminub
DB vpand
DC vpaddusb
DD vpaddusw
DE vpmaxub
DF vpandn
E0 vpavgb
E1 vpsraw =Vx,Hx,Wdq
E2 vpsrad =Vx,Hx,Wdq
E3 vpavgw
E4 vpmulhuw
E5 vpmulhw
E8 vpsubsb
E9 vpsubsw
EA vpminsw
EB vpor
EC vpaddsb
ED vpaddsw
EE vpmaxsw
EF vpxor
F1 vpsllw =Vx,Hx,Wdq
F2 vpslld =Vx,Hx,Wdq
F3 vpsllq =Vx,Hx,Wdq
F4 vpmuludq
F5 vpmaddwd
F6 vpsadbw
F8 vpsubb
F9 vpsubw
FA vpsubd
FB vpsubq
FC vpaddb
FD vpaddw
FE vpaddd`)}
np:10 vmovups =Vx,Wx
66:10 vmovupd =Vx,Wx
F3:10m vmovss =Vdq,Md
F3:10r vmovss =Vdq,Hdq,Ud
F2:10m vmovsd =Vdq,Mq
F2:10r vmovsd =Vdq,Hdq,Uq
np:11 vmovups =Wx,Vx
66:11 vmovupd =Wx,Vx
F3:11m vmovss =Md,Vd
F3:11r vmovss =Udq,Hdq,Vd
F2:11m vmovsd =Mq,Vq
F2:11r vmovsd =Udq,Hdq,Vq
np:12m vmovlps =Vdq,Hdq,Mq l0
np:12r vmovhlps =Vdq,Hdq,Udq l0
66:12 vmovlpd =Vdq,Hdq,Mq l0
F3:12 vmovsldup =Vx,Wx
F2:12 vmovddup =Vdq,Wq l0
F2:12 vmovddup =Vqq,Wqq l1
np:13 vmovlps =Mq,Vq l0
66:13 vmovlpd =Mq,Vq l0
np:14 vunpcklps =Vx,Hx,Wx
66:14 vunpcklpd =Vx,Hx,Wx
np:15 vunpckhps =Vx,Hx,Wx
66:15 vunpckhpd =Vx,Hx,Wx
np:16m vmovhps =Vdq,Hq,Mq l0
np:16r vmovlhps =Vdq,Hq,Uq l0
66:16 vmovhpd =Vdq,Hq,Mq l0
F3:16 vmovshdup =Vx,Wx
np:17 vmovhps =Mq,Vdq l0
66:17 vmovhpd =Mq,Vdq l0
np:28 vmovaps =Vx,Wx aligned
66:28 vmovapd =Vx,Wx aligned
np:29 vmovaps =Wx,Vx aligned
66:29 vmovapd =Wx,Vx aligned
F3:2A vcvtsi2ss =Vdq,Hdq,Ey
F2:2A vcvtsi2sd =Vdq,Hdq,Ey
np:2B vmovntps =Mx,Vx aligned
66:2B vmovntpd =Mx,Vx aligned
F3:2C vcvttss2si =Gy,Wd
F2:2C vcvttsd2si =Gy,Wq
F3:2D vcvtss2si =Gy,Wd
F2:2D vcvtsd2si =Gy,Wq
np:2E vucomiss Vd,Wd
66:2E vucomisd Vq,Wq
np:2F vcomiss Vd,Wd
66:2F vcomisd Vq,Wq
np:50 vmovmskps =Gy,Ux
66:50 vmovmskpd =Gy,Ux
np:51 vsqrtps =Vx,Wx
66:51 vsqrtpd =Vx,Wx
F3:51 vsqrtss =Vdq,Hdq,Wd
F2:51 vsqrtsd =Vdq,Hdq,Wq
np:52 vrsqrtps =Vx,Wx
F3:52 vrsqrtss =Vdq,Hdq,Wd
np:53 vrcpps =Vx,Wx
F3:53 vrcpss =Vdq,Hdq,Wd
np:54 vandps =Vx,Hx,Wx
66:54 vandpd =Vx,Hx,Wx
np:55 vandnps =Vx,Hx,Wx
66:55 vandnpd =Vx,Hx,Wx
np:56 vorps =Vx,Hx,Wx
66:56 vorpd =Vx,Hx,Wx
np:57 vxorps =Vx,Hx,Wx
66:57 vxorpd =Vx,Hx,Wx
np:5A vcvtps2pd =Vdq,Wq l0
np:5A vcvtps2pd =Vqq,Wdq l1
66:5A vcvtpd2ps =Vdq,Wx
F3:5A vcvtss2sd =Vdq,Hdq,Wd
F2:5A vcvtsd2ss =Vdq,Hdq,Wq
np:5B vcvtdq2ps =Vx,Wx
66:5B vcvtps2dq =Vx,Wx
F3:5B vcvttps2dq =Vx,Wx
66:6E vmovd =Vdq,Ed l0 w0
66:6E vmovq =Vdq,Eq l0 w1
66:6F vmovdqa =Vx,Wx aligned
F3:6F vmovdqu =Vx,Wx
66:70 vpshufd =Vx,Wx,Ib l0
66:70 vpshufd =Vx,Wx,Ib l1 @avx2
F3:70 vpshufhw =Vx,Wx,Ib l0
F3:70 vpshufhw =Vx,Wx,Ib l1 @avx2
F2:70 vpshuflw =Vx,Wx,Ib l0
F2:70 vpshuflw =Vx,Wx,Ib l1 @avx2
np:77 vzeroupper l0
np:77 vzeroall l1
66:7C vhaddpd =Vx,Hx,Wx
F2:7C vhaddps =Vx,Hx,Wx
66:7D vhsubpd =Vx,Hx,Wx
F2:7D vhsubps =Vx,Hx,Wx
66:7E vmovd =Ed,Vd l0 w0
66:7E vmovq =Eq,Vq l0 w1
F3:7E vmovq =Vdq,Wq l0
66:7F vmovdqa =Wx,Vx aligned
F3:7F vmovdqu =Wx,Vx
np:AE/2m vldmxcsr Md l0
np:AE/3m vstmxcsr =Md l0
np:C2 vcmpps =Vx,Hx,Wx,Ib
66:C2 vcmppd =Vx,Hx,Wx,Ib
F3:C2 vcmpss =Vdq,Hdq,Wd,Ib
F2:C2 vcmpsd =Vdq,Hdq,Wq,Ib
66:C4m vpinsrw =Vdq,Hdq,Mw,Ib l0
66:C4r vpinsrw =Vdq,Hdq,Ry,Ib l0
66:C5 vpextrw =Gy,Udq,Ib l0
np:C6 vshufps =Vx,Hx,Wx,Ib
66:C6 vshufpd =Vx,Hx,Wx,Ib
66:D0 vaddsubpd =Vx,Hx,Wx
F2:D0 vaddsubps =Vx,Hx,Wx
66:D6m vmovq =Mq,Vq l0
66:D6r vmovq =Udq,Vq l0
66:E6 vcvttpd2dq =Vdq,Wx
F3:E6 vcvtdq2pd =Vdq,Wq l0
F3:E6 vcvtdq2pd =Vqq,Wdq l1
F2:E6 vcvtpd2dq =Vdq,Wx
66:E7 vmovntdq =Mx,Vx aligned
F2:F0 vlddqu =Vx,Mx
66:F7 vmaskmovdqu Vdq,Udq l0`,
  },
  {
    map: "0f38",
    encoding: "vex",
    feature: "avx",
    rows: `${integer(`00 vpshufb
01 vphaddw
02 vphaddd
03 vphaddsw
04 vpmaddubsw
05 vphsubw
06 vphsubd
07 vphsubsw
08 vpsignb
09 vpsignw
0A vpsignd
0B vpmulhrsw
1C vpabsb =Vx,Wx
1D vpabsw =Vx,Wx
1E vpabsd =Vx,Wx
28 vpmuldq
29 vpcmpeqq
2B vpackusdw
37 vpcmpgtq
38 vpminsb
39 vpminsd
3A vpminuw
3B vpminud
3C vpmaxsb
3D vpmaxsd
3E vpmaxuw
3F vpmaxud
40 vpmulld`)}
${extension(`20 vpmovsxbw q dq
21 vpmovsxbd d q
22 vpmovsxbq w d
23 vpmovsxwd q dq
24 vpmovsxwq d q
25 vpmovsxdq q dq
30 vpmovzxbw q dq
31 vpmovzxbd d q
32 vpmovzxbq w d
33 vpmovzxwd q dq
34 vpmovzxwq d q
35 vpmovzxdq q dq`)}
66:0C vpermilps =Vx,Hx,Wx w0
66:0D vpermilpd =Vx,Hx,Wx w0
66:0E vtestps Vx,Wx w0
66:0F vtestpd Vx,Wx w0
66:17 vptest Vx,Wx
66:18m vbroadcastss =Vx,Md w0
66:18r vbroadcastss =Vx,Ud w0 @avx2
66:19m vbroadcastsd =Vqq,Mq l1 w0
66:19r vbroadcastsd =Vqq,Uq l1 w0 @avx2
66:1A vbroadcastf128 =Vqq,Mdq l1 w0
66:2A vmovntdqa =Vx,Mx l0 aligned
66:2A vmovntdqa =Vx,Mx l1 aligned @avx2
66:2C vmaskmovps =Vx,Hx,Mx w0
66:2D vmaskmovpd =Vx,Hx,Mx w0
66:2E vmaskmovps =Mx,Hx,Vx w0
66:2F vmaskmovpd =Mx,Hx,Vx w0
66:41 vphminposuw =Vdq,Wdq l0
66:DB vaesimc =Vdq,Wdq l0
66:DC vaesenc =Vx,Hx,Wx l0
66:DC vaesenc =Vx,Hx,Wx l1 @vaes
66:DD vaesenclast =Vx,Hx,Wx l0
66:DD vaesenclast =Vx,Hx,Wx l1 @vaes
66:DE vaesdec =Vx,Hx,Wx l0
66:DE vaesdec =Vx,Hx,Wx l1 @vaes
66:DF vaesdeclast =Vx,Hx,Wx l0
66:DF vaesdeclast =Vx,Hx,Wx l1 @vaes
66:CF vgf2p8mulb =Vx,Hx,Wx w0 @gfni`,
  },
  {
    map: "0f38",
    encoding: "vex",
    feature: "avx2",
    rows: `66:16 vpermps =Vqq,Hqq,Wqq l1 w0
66:36 vpermd =Vqq,Hqq,Wqq l1 w0
66:45 vpsrlvd =Vx,Hx,Wx w0
66:45 vpsrlvq =Vx,Hx,Wx w1
66:46 vpsravd =Vx,Hx,Wx w0
66:47 vpsllvd =Vx,Hx,Wx w0
66:47 vpsllvq =Vx,Hx,Wx w1
66:58 vpbroadcastd =Vx,Wd w0
66:59 vpbroadcastq =Vx,Wq w0
66:5A vbroadcasti128 =Vqq,Mdq l1 w0
66:78 vpbroadcastb =Vx,Wb w0
66:79 vpbroadcastw =Vx,Ww w0
66:8C vpmaskmovd =Vx,Hx,Mx w0
66:8C vpmaskmovq =Vx,Hx,Mx w1
66:8E vpmaskmovd =Mx,Hx,Vx w0
66:8E vpmaskmovq =Mx,Hx,Vx w1
66:90 vpgatherdd +Vx,Md,+Hx l0 w0 vsibx
66:90 vpgatherdd +Vx,Md,+Hx l1 w0 vsiby
66:90 vpgatherdq +Vx,Mq,+Hx w1 vsibx
66:91 vpgatherqd +Vdq,Md,+Hdq l0 w0 vsibx
66:91 vpgatherqd +Vdq,Md,+Hdq l1 w0 vsiby
66:91 vpgatherqq +Vx,Mq,+Hx l0 w1 vsibx
66:91 vpgatherqq +Vx,Mq,+Hx l1 w1 vsiby
66:92 vgatherdps +Vx,Md,+Hx l0 w0 vsibx
66:92 vgatherdps +Vx,Md,+Hx l1 w0 vsiby
66:92 vgatherdpd +Vx,Mq,+Hx w1 vsibx
66:93 vgatherqps +Vdq,Md,+Hdq l0 w0 vsibx
66:93 vgatherqps +Vdq,Md,+Hdq l1 w0 vsiby
66:93 vgatherqpd +Vx,Mq,+Hx l0 w1 vsibx
66:93 vgatherqpd +Vx,Mq,+Hx l1 w1 vsiby
66:50 vpdpbusd +Vx,Hx,Wx w0 @avx_vnni
66:51 vpdpbusds +Vx,Hx,Wx w0 @avx_vnni
66:52 vpdpwssd +Vx,Hx,Wx w0 @avx_vnni
66:53 vpdpwssds +Vx,Hx,Wx w0 @avx_vnni
66:13 vcvtph2ps =Vdq,Wq l0 w0 @f16c
66:13 vcvtph2ps =Vqq,Wdq l1 w0 @f16c
np:F2 andn =Gy,By,Ey l0 @bmi1
np:F3/1 blsr =By,Ey l0 @bmi1
np:F3/2 blsmsk =By,Ey l0 @bmi1
np:F3/3 blsi =By,Ey l0 @bmi1
np:F5 bzhi =Gy,Ey,By l0 @bmi2
F3:F5 pext =Gy,By,Ey l0 @bmi2
F2:F5 pdep =Gy,By,Ey l0 @bmi2
F2:F6 mulx =Gy,=By,Ey l0 @bmi2
np:F7 bextr =Gy,Ey,By l0 @bmi1
66:F7 shlx =Gy,Ey,By l0 @bmi2
F3:F7 sarx =Gy,Ey,By l0 @bmi2
F2:F7 shrx =Gy,Ey,By l0 @bmi2`,
  },
  { map: "0f38", encoding: "vex", feature: "fma", rows: fused },
  {
    map: "0f3a",
    encoding: "vex",
    feature: "avx",
    rows: `${integer(`0E vpblendw =Vx,Hx,Wx,Ib
0F vpalignr =Vx,Hx,Wx,Ib
42 vmpsadbw =Vx,Hx,Wx,Ib`)}
66:00 vpermq =Vqq,Wqq,Ib l1 w1 @avx2
66:01 vpermpd =Vqq,Wqq,Ib l1 w1 @avx2
66:02 vpblendd =Vx,Hx,Wx,Ib w0 @avx2
66:04 vpermilps =Vx,Wx,Ib w0
66:05 vpermilpd =Vx,Wx,Ib w0
66:06 vperm2f128 =Vqq,Hqq,Wqq,Ib l1 w0
66:08 vroundps =Vx,Wx,Ib
66:09 vroundpd =Vx,Wx,Ib
66:0A vroundss =Vdq,Hdq,Wd,Ib
66:0B vroundsd =Vdq,Hdq,Wq,Ib
66:0C vblendps =Vx,Hx,Wx,Ib
66:0D vblendpd =Vx,Hx,Wx,Ib
66:14m vpextrb =Mb,Vdq,Ib l0
66:14r vpextrb =Ry,Vdq,Ib l0
66:15m vpextrw =Mw,Vdq,Ib l0
66:15r vpextrw =Ry,Vdq,Ib l0
66:16 vpextrd =Ed,Vdq,Ib l0 w0
66:16 vpextrq =Eq,Vdq,Ib l0 w1
66:17m vextractps =Md,Vdq,Ib l0
66:17r vextractps =Ry,Vdq,Ib l0
66:18 vinsertf128 =Vqq,Hqq,Wdq,Ib l1 w0
66:19 vextractf128 =Wdq,Vqq,Ib l1 w0
66:1D vcvtps2ph =Wq,Vdq,Ib l0 w0 @f16c
66:1D vcvtps2ph =Wdq,Vqq,Ib l1 w0 @f16c
66:20m vpinsrb =Vdq,Hdq,Mb,Ib l0
66:20r vpinsrb =Vdq,Hdq,Ry,Ib l0
66:21m vinsertps =Vdq,Hdq,Md,Ib l0
66:21r vinsertps =Vdq,Hdq,Udq,Ib l0
66:22 vpinsrd =Vdq,Hdq,Ed,Ib l0 w0
66:22 vpinsrq =Vdq,Hdq,Eq,Ib l0 w1
66:38 vinserti128 =Vqq,Hqq,Wdq,Ib l1 w0 @avx2
66:39 vextracti128 =Wdq,Vqq,Ib l1 w0 @avx2
66:40 vdpps =Vx,Hx,Wx,Ib
66:41 vdppd =Vdq,Hdq,Wdq,Ib l0
66:44 vpclmulqdq =Vx,Hx,Wx,Ib l0
66:44 vpclmulqdq =Vx,Hx,Wx,Ib l1 @vpclmulqdq
66:46 vperm2i128 =Vqq,Hqq,Wqq,Ib l1 w0 @avx2
66:4A vblendvps =Vx,Hx,Wx,Lx w0
66:4B vblendvpd =Vx,Hx,Wx,Lx w0
66:4C vpblendvb =Vx,Hx,Wx,Lx l0 w0
66:4C vpblendvb =Vx,Hx,Wx,Lx l1 w0 @avx2
66:60 vpcmpestrm Vdq,Wdq,Ib l0
66:61 vpcmpestri Vdq,Wdq,Ib l0
66:62 vpcmpistrm Vdq,Wdq,Ib l0
66:63 vpcmpistri Vdq,Wdq,Ib l0
66:CE vgf2p8affineqb =Vx,Hx,Wx,Ib w1 @gfni
66:CF vgf2p8affineinvqb =Vx,Hx,Wx,Ib w1 @gfni
66:DF vaeskeygenassist =Vdq,Wdq,Ib l0
F2:F0 rorx =Gy,Ey,Ib l0 @bmi2`,
  },
  {
    map: "0f",
    encoding: "vex",
    feature: "avx512f",
    rows: `${masks("41", "kand", "=KG,KB,KR l1")}
${masks("42", "kandn", "=KG,KB,KR l1")}
${masks("44", "knot", "=KG,KR l0")}
${masks("45", "kor", "=KG,KB,KR l1")}
${masks("46", "kxnor", "=KG,KB,KR l1")}
${masks("47", "kxor", "=KG,KB,KR l1")}
${masks("4A", "kadd", "=KG,KB,KR l1")}
np:4B kunpckwd =KG,KB,KR l1 w0
66:4B kunpckbw =KG,KB,KR l1 w0
np:4B kunpckdq =KG,KB,KR l1 w1
${masks("90r", "kmov", "=KG,KR l0")}
np:90m kmovw =KG,Mw l0 w0
66:90m kmovb =KG,Mb l0 w0
np:90m kmovq =KG,Mq l0 w1
66:90m kmovd =KG,Md l0 w1
np:91 kmovw =Mw,KG l0 w0
66:91 kmovb =Mb,KG l0 w0
np:91 kmovq =Mq,KG l0 w1
66:91 kmovd =Md,KG l0 w1
np:92 kmovw =KG,Rd l0 w0
66:92 kmovb =KG,Rd l0 w0
F2:92 kmovd =KG,Rd l0 w0
F2:92 kmovq =KG,Rq l0 w1
np:93 kmovw =Gd,KR l0 w0
66:93 kmovb =Gd,KR l0 w0
F2:93 kmovd =Gd,KR l0 w0
F2:93 kmovq =Gq,KR l0 w1
${masks("98", "kortest", "KG,KR l0")}
${masks("99", "ktest", "KG,KR l0")}`,
  },
  {
    map: "0f3a",
    encoding: "vex",
    feature: "avx512f",
    rows: `66:30 kshiftrb =KG,KR,Ib l0 w0
66:30 kshiftrw =KG,KR,Ib l0 w1
66:31 kshiftrd =KG,KR,Ib l0 w0
66:31 kshiftrq =KG,KR,Ib l0 w1
66:32 kshiftlb =KG,KR,Ib l0 w0
66:32 kshiftlw =KG,KR,Ib l0 w1
66:33 kshiftld =KG,KR,Ib l0 w0
66:33 kshiftlq =KG,KR,Ib l0 w1`,
  },
  {
    map: "legacy",
    // All EVEX instructions in one row: only their length is decoded.
    rows: "62 evex Ev,Gv only64 @avx512f",
  },
];
