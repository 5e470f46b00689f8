/** The general-purpose instructions: Intel SDM vol. 2, appendix A, tables. */

import type { TableSection } from "../notation.ts";

/** Condition codes in encoding order (SDM vol. 2, appendix B.1.4.7), under the names Intel lists first. */
const CONDITIONS = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];

/** One row for each condition code, from the opcode on. */
const conditional = (opcode: number, stem: string, rest: string): string =>
  CONDITIONS.map((condition, i) => `${hex(opcode + i)} ${stem}${condition} ${rest}`).join("\n");

/** The eight operations that share the layout 00…3D and the groups 80…83. */
const ARITHMETIC = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];

const arithmetic = ARITHMETIC.map((name, i) => {
  // CMP writes nothing and so cannot be locked.
  const [to, lock] = name === "cmp" ? ["", ""] : ["+", " lock"];
  return `
${hex(i * 8)} ${name} ${to}Eb,Gb${lock}
${hex(i * 8 + 1)} ${name} ${to}Ev,Gv${lock}
${hex(i * 8 + 2)} ${name} ${to}Gb,Eb
${hex(i * 8 + 3)} ${name} ${to}Gv,Ev
${hex(i * 8 + 4)} ${name} ${to}AL,Ib
${hex(i * 8 + 5)} ${name} ${to}rAX,Izs
80/${i} ${name} ${to}Eb,Ib${lock}
81/${i} ${name} ${to}Ev,Izs${lock}
82/${i} ${name} ${to}Eb,Ib${lock} not64
83/${i} ${name} ${to}Ev,Ibs${lock}`;
}).join("");

/** Groups C0, C1, D0…D3. SHL and SAL are the same operation; /6 is its undocumented twin on every processor. */
const shifts = ["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"]
  .map(
    (name, i) => `
C0/${i} ${name} +Eb,Ib
C1/${i} ${name} +Ev,Ib
D0/${i} ${name} +Eb,1
D1/${i} ${name} +Ev,1
D2/${i} ${name} +Eb,CL
D3/${i} ${name} +Ev,CL`,
  )
  .join("");

function hex(opcode: number): string {
  return opcode.toString(16).toUpperCase().padStart(2, "0");
}

export const INTEGER: readonly TableSection[] = [
  {
    map: "legacy",
    rows: `${arithmetic}
${shifts}
${conditional(0x70, "j", "Jb f64")}
06 push ES not64
07 pop =ES not64
0E push CS not64
16 push SS not64
17 pop =SS not64
1E push DS not64
1F pop =DS not64
27 daa not64
2F das not64
37 aaa not64
3F aas not64
40+ inc +Zv not64
48+ dec +Zv not64
50+ push Zv d64
58+ pop =Zv d64
60 pusha not64
61 popa not64
62 bound Gv,M not64
63 arpl +Ew,Gw not64
63 movsxd =Gv,Ez only64
68 push Izs d64
69 imul =Gv,Ev,Izs
6A push Ibs d64
6B imul =Gv,Ev,Ibs
6C ins =Yb,DX rep
6D ins =Yz,DX rep
6E outs DX,Xb rep
6F outs DX,Xz rep
84 test Eb,Gb
85 test Ev,Gv
86 xchg +Eb,+Gb lock
87 xchg +Ev,+Gv lock
88 mov =Eb,Gb
89 mov =Ev,Gv
8A mov =Gb,Eb
8B mov =Gv,Ev
8Cm mov =Mw,Sw
8Cr mov =Rv,Sw
8D lea =Gv,M
8E mov =Sw,Ew
8F/0 pop =Ev d64
90+ xchg +Zv,+rAX
90 nop b0
F3:90 pause
98 cbw
99 cwd
9A callf Ap not64
9B fwait
9C pushf d64
9D popf d64
9E sahf
9F lahf
A0 mov =AL,Ob
A1 mov =rAX,Ov
A2 mov =Ob,AL
A3 mov =Ov,rAX
A4 movs =Yb,Xb rep
A5 movs =Yv,Xv rep
A6 cmps Xb,Yb repe
A7 cmps Xv,Yv repe
A8 test AL,Ib
A9 test rAX,Izs
AA stos =Yb,AL rep
AB stos =Yv,rAX rep
AC lods =AL,Xb rep
AD lods =rAX,Xv rep
AE scas AL,Yb repe
AF scas rAX,Yv repe
B0+ mov =Zb,Ib
B8+ mov =Zv,Iv
C2 ret Iw f64
C3 ret f64
C4 les =Gv,Mp not64
C5 lds =Gv,Mp not64
C6/0 mov =Eb,Ib
C7/0 mov =Ev,Izs
C6/7r0 xabort Ib @rtm
C7/7r0 xbegin Jz @rtm
C8 enter Iw,Ib2 d64
C9 leave d64
CA retf Iw
CB retf
CC int3
CD int Ib
CE into not64
CF iret
D4 aam Ib not64
D5 aad Ib not64
D6 salc not64
D7 xlat
E0 loopne Jb f64
E1 loope Jb f64
E2 loop Jb f64
E3 jrcxz Jb f64
E4 in =AL,Ib
E5 in =eAX,Ib
E6 out Ib,AL
E7 out Ib,eAX
E8 call Jz f64
E9 jmp Jz f64
EA jmpf Ap not64
EB jmp Jb f64
EC in =AL,DX
ED in =eAX,DX
EE out DX,AL
EF out DX,eAX
F1 int1
F4 hlt
F5 cmc
F6/0 test Eb,Ib
F6/1 test Eb,Ib
F6/2 not +Eb lock
F6/3 neg +Eb lock
F6/4 mul Eb
F6/5 imul Eb
F6/6 div Eb
F6/7 idiv Eb
F7/0 test Ev,Izs
F7/1 test Ev,Izs
F7/2 not +Ev lock
F7/3 neg +Ev lock
F7/4 mul Ev
F7/5 imul Ev
F7/6 div Ev
F7/7 idiv Ev
F8 clc
F9 stc
FA cli
FB sti
FC cld
FD std
FE/0 inc +Eb lock
FE/1 dec +Eb lock
FF/0 inc +Ev lock
FF/1 dec +Ev lock
FF/2 call Ev f64
FF/3 callf Mp
FF/4 jmp Ev f64
FF/5 jmpf Mp
FF/6 push Ev d64`,
  },
  {
    map: "0f",
    rows: `${conditional(0x40, "cmov", "+Gv,Ev")}
${conditional(0x80, "j", "Jz f64")}
${conditional(0x90, "set", "=Eb")}
0B ud2
0D nop Ev,Gv
0D/1m prefetchw Mb
0D/3m prefetchw Mb
18 nop Ev,Gv
18/0m prefetchnta Mb
18/1m prefetcht0 Mb
18/2m prefetcht1 Mb
18/3m prefetcht2 Mb
19 nop Ev,Gv
1A nop Ev,Gv
1B nop Ev,Gv
1C nop Ev,Gv
1D nop Ev,Gv
1E nop Ev,Gv
F3:1E/1r rdssp =Ry @cet_ss else=nop
F3:1E/7r2 endbr64
F3:1E/7r3 endbr32
1F nop Ev,Gv
A0 push FS d64
A1 pop =FS d64
A2 cpuid
A3 bt Ev,Gv
A4 shld +Ev,Gv,Ib
A5 shld +Ev,Gv,CL
A8 push GS d64
A9 pop =GS d64
AB bts +Ev,Gv lock
AC shrd +Ev,Gv,Ib
AD shrd +Ev,Gv,CL
np:AE/5r lfence
np:AE/6r mfence
np:AE/7r sfence
np:AE/7m clflush Mb
66:AE/7m clflushopt Mb @clflushopt else=clflush
66:AE/6m clwb Mb @clwb
F3:AE/0r rdfsbase =Ry only64 @fsgsbase
F3:AE/1r rdgsbase =Ry only64 @fsgsbase
F3:AE/2r wrfsbase Ry only64 @fsgsbase
F3:AE/3r wrgsbase Ry only64 @fsgsbase
F3:AE/5r incssp Ry @cet_ss
66:AE/6r tpause Ry @waitpkg
F3:AE/6r umonitor R @waitpkg
F2:AE/6r umwait Ry @waitpkg
AF imul +Gv,Ev
B0 cmpxchg +Eb,Gb lock
B1 cmpxchg +Ev,Gv lock
B2 lss =Gv,Mp
B3 btr +Ev,Gv lock
B4 lfs =Gv,Mp
B5 lgs =Gv,Mp
B6 movzx =Gv,Eb
B7 movzx =Gv,Ew
F3:B8 popcnt =Gv,Ev @popcnt
B9 ud1 Gv,Ev
BA/4 bt Ev,Ib
BA/5 bts +Ev,Ib lock
BA/6 btr +Ev,Ib lock
BA/7 btc +Ev,Ib lock
BB btc +Ev,Gv lock
BC bsf +Gv,Ev
BD bsr +Gv,Ev
F3:BC tzcnt =Gv,Ev @bmi1 else=bsf
F3:BD lzcnt =Gv,Ev @lzcnt else=bsr
BE movsx =Gv,Eb
BF movsx =Gv,Ew
C0 xadd +Eb,+Gb lock
C1 xadd +Ev,+Gv lock
np:C3 movnti =My,Gy
C7/1m cmpxchg8b +Mq lock w0
C7/1m cmpxchg16b +Mdq lock w1 @cmpxchg16b
np:C7/6r rdrand =Rv @rdrand
66:C7/6r rdrand =Rv @rdrand
np:C7/7r rdseed =Rv @rdseed
66:C7/7r rdseed =Rv @rdseed
F3:C7/7r rdpid =Rq @rdpid
C8+ bswap +Zv
FF ud0 Gv,Ev`,
  },
  {
    map: "0f38",
    rows: `np:F0 movbe =Gv,Mv @movbe
66:F0 movbe =Gv,Mv @movbe
np:F1 movbe =Mv,Gv @movbe
66:F1 movbe =Mv,Gv @movbe
F2:F0 crc32 +Gy,Eb @sse42
F2:F1 crc32 +Gy,Ev @sse42
66:F6 adcx +Gy,Ey @adx
F3:F6 adox +Gy,Ey @adx
66:F8 movdir64b G,M @movdir64b
np:F9 movdiri =My,Gy @movdiri`,
  },
];
