/** The x87 floating-point unit: Intel SDM vol. 2, appendix A.5 (tables A-7 to A-22). */

import type { TableSection } from "../notation.ts";

/** The operations that share the layout D8, DA, DC and DE: by ModRM.reg. */
const ARITHMETIC = ["add", "mul", "com", "comp", "sub", "subr", "div", "divr"];

const arithmetic = ARITHMETIC.map((name, i) => {
  const to = name.startsWith("com") ? "" : "+";
  // The forms that write ST(i) have the reversed operation under the plain operation's number.
  const written = ARITHMETIC[i < 4 ? i : i ^ 1];
  return `
D8/${i}m f${name} Md
DC/${i}m f${name} Mq
DA/${i}m fi${name} Md
DE/${i}m fi${name} Mw
D8/${i}r f${name} ${to}ST0,STi${
    to &&
    `
DC/${i}r f${written} +STi,ST0
DE/${i}r f${written}p +STi,ST0`
  }`;
}).join("");

export const X87: readonly TableSection[] = [
  {
    map: "legacy",
    rows: `${arithmetic}
D9/0m fld Md
D9/2m fst =Md
D9/3m fstp =Md
D9/4m fldenv M28
D9/5m fldcw Mw
D9/6m fnstenv =M28
D9/7m fnstcw =Mw
D9/0r fld STi
D9/1r fxch +ST0,+STi
D9/2r0 fnop
D9/3r fstpnce =STi
D9/4r0 fchs
D9/4r1 fabs
D9/4r4 ftst
D9/4r5 fxam
D9/5r0 fld1
D9/5r1 fldl2t
D9/5r2 fldl2e
D9/5r3 fldpi
D9/5r4 fldlg2
D9/5r5 fldln2
D9/5r6 fldz
D9/6r0 f2xm1
D9/6r1 fyl2x
D9/6r2 fptan
D9/6r3 fpatan
D9/6r4 fxtract
D9/6r5 fprem1
D9/6r6 fdecstp
D9/6r7 fincstp
D9/7r0 fprem
D9/7r1 fyl2xp1
D9/7r2 fsqrt
D9/7r3 fsincos
D9/7r4 frndint
D9/7r5 fscale
D9/7r6 fsin
D9/7r7 fcos
DA/0r fcmovb +ST0,STi
DA/1r fcmove +ST0,STi
DA/2r fcmovbe +ST0,STi
DA/3r fcmovu +ST0,STi
DA/5r1 fucompp
DB/0m fild Md
DB/1m fisttp =Md @sse3
DB/2m fist =Md
DB/3m fistp =Md
DB/5m fld Mt
DB/7m fstp =Mt
DB/0r fcmovnb +ST0,STi
DB/1r fcmovne +ST0,STi
DB/2r fcmovnbe +ST0,STi
DB/3r fcmovnu +ST0,STi
DB/4r0 fneni
DB/4r1 fndisi
DB/4r2 fnclex
DB/4r3 fninit
DB/4r4 fnsetpm
DB/5r fucomi ST0,STi
DB/6r fcomi ST0,STi
DC/2r fcom ST0,STi
DC/3r fcomp ST0,STi
DD/0m fld Mq
DD/1m fisttp =Mq @sse3
DD/2m fst =Mq
DD/3m fstp =Mq
DD/4m frstor M108
DD/6m fnsave =M108
DD/7m fnstsw =Mw
DD/0r ffree STi
DD/1r fxch +ST0,+STi
DD/2r fst =STi
DD/3r fstp =STi
DD/4r fucom ST0,STi
DD/5r fucomp ST0,STi
DE/2r fcomp ST0,STi
DE/3r1 fcompp
DF/0m fild Mw
DF/1m fisttp =Mw @sse3
DF/2m fist =Mw
DF/3m fistp =Mw
DF/4m fbld Mt
DF/5m fild Mq
DF/6m fbstp =Mt
DF/7m fistp =Mq
DF/0r ffreep STi
DF/1r fxch +ST0,+STi
DF/2r fstp =STi
DF/3r fstp =STi
DF/4r0 fnstsw =AX
DF/5r fucomip ST0,STi
DF/6r fcomip ST0,STi`,
  },
];
