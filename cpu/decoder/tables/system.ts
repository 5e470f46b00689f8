/** Instructions for operating systems: Intel SDM vol. 3, 2.8, and the state-saving instructions of vol. 1, chapter 13. */

import type { TableSection } from "../notation.ts";

export const SYSTEM: readonly TableSection[] = [
  {
    map: "0f",
    rows: `
00/0m sldt =Mw
00/0r sldt =Rv
00/1m str =Mw
00/1r str =Rv
00/2 lldt Ew
00/3 ltr Ew
00/4 verr Ew
00/5 verw Ew
01/0m sgdt =Ms f64
01/1m sidt =Ms f64
01/2m lgdt Ms f64
01/3m lidt Ms f64
01/4m smsw =Mw
01/4r smsw =Rv
01/6 lmsw Ew
01/7m invlpg M
np:01/1r0 monitor @monitor
np:01/1r1 mwait @monitor
np:01/1r2 clac @smap
np:01/1r3 stac @smap
np:01/2r0 xgetbv @xsave
np:01/2r1 xsetbv @xsave
np:01/2r5 xend @rtm
np:01/2r6 xtest @rtm
np:01/5r0 serialize @serialize
np:01/5r6 rdpkru @pku
np:01/5r7 wrpkru @pku
01/7r0 swapgs only64
01/7r1 rdtscp @rdtscp
02 lar +Gv,Ew
03 lsl +Gv,Ew
05 syscall only64
06 clts
07 sysret only64
08 invd
09 wbinvd
F3:09 wbnoinvd @wbnoinvd else=wbinvd
20 mov =Rq,Cq f64 anymod
21 mov =Rq,Dq f64 anymod
22 mov =Cq,Rq f64 anymod
23 mov =Dq,Rq f64 anymod
30 wrmsr
31 rdtsc
32 rdmsr
33 rdpmc
34 sysenter
35 sysexit
AA rsm
np:AE/0m fxsave =M512 w0
np:AE/0m fxsave64 =M512 w1
np:AE/1m fxrstor M512 w0
np:AE/1m fxrstor64 M512 w1
np:AE/2m ldmxcsr Md
np:AE/3m stmxcsr =Md
np:AE/4m xsave +M w0 @xsave
np:AE/4m xsave64 +M w1 @xsave
np:AE/5m xrstor M w0 @xsave
np:AE/5m xrstor64 M w1 @xsave
np:AE/6m xsaveopt +M w0 @xsaveopt
np:AE/6m xsaveopt64 +M w1 @xsaveopt
np:C7/3m xrstors M w0 @xsaves
np:C7/3m xrstors64 M w1 @xsaves
np:C7/4m xsavec =M w0 @xsavec
np:C7/4m xsavec64 =M w1 @xsavec
np:C7/5m xsaves =M w0 @xsaves
np:C7/5m xsaves64 =M w1 @xsaves`,
  },
  {
    map: "0f38",
    rows: `
66:82 invpcid Gq,Mdq unaligned f64 @invpcid`,
  },
];
