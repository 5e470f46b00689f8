/**
 * The pairs of instructions that programs execute most, by handler name (build.ts): MNEMONIC.SIZE.FORM[.noflags][+jCC].
 *
 * Measured by counting how often each record is executed next to the record behind it, over esbuild bundling, biome
 * formatting, busybox sort, gzip and sha1sum, and six of the workloads of bench/; the most frequent 900 are kept.
 */

const PAIRS: Readonly<Record<string, string>> = {
  "adc.64.register": "rol.64.register.noflags",
  "add.16.register": "mov.16.indexed",
  "add.16.register.noflags": "shl.32.register.noflags",
  "add.32.base.noflags": "cmp.64.register+jb sub.64.register",
  "add.32.indexed": "jmp.16.register",
  "add.32.indexed.noflags": "add.64.register.noflags test.16.register+je",
  "add.32.register":
    "jmp.16.register lea.64.indexed mov.32.base mov.32.indexed mov.32.register mov.64.base mov.64.register rol.32.register ror.32.register.noflags",
  "add.32.register.noflags":
    "add.64.register.noflags and.32.register and.32.register.noflags cmp.32.register cmp.32.register+jne cmp.64.register+jne imul.64.register.noflags lea.32.indexed mov.32.register sub.64.register.noflags",
  "add.64.base": "mov.64.base movzx.32.base",
  "add.64.base.noflags": "add.64.register sub.64.register.noflags",
  "add.64.register":
    "add.32.indexed.noflags call.16.register cmp.16.indexed+jne inc.64.register.noflags jmp.16.register jmp.64.register lea.64.base lea.64.indexed mov.16.base mov.32.base mov.32.indexed mov.32.register mov.64.base mov.64.indexed mov.64.register movd.16.register movzx.32.base movzx.32.indexed mulpd.16.register pop.64.register psrld.16.register rol.64.register.noflags shl.64.register sub.32.indexed",
  "add.64.register.noflags":
    "add.32.register add.32.register.noflags add.64.register add.64.register.noflags cmp.32.register+jb cmp.64.register+jbe cmp.64.register+je cmp.64.register+jne lea.64.indexed mov.64.register movzx.32.register sub.64.register test.16.register+je test.16.register+jne test.64.register+je xor.64.register",
  "addpd.16.register": "movsd.16.base movups.16.base",
  "addsd.16.base": "addpd.16.register movsd.16.base",
  "addsd.16.register": "movups.16.register ucomisd.16.register",
  "aesenc.16.register": "aesenc.16.register",
  "and.16.register": "mov.32.register",
  "and.16.register.noflags": "cmp.16.register+je",
  "and.32.register":
    "cmovne.32.register je.16.register jne.16.register mov.32.base mov.64.base mov.64.indexed movzx.32.indexed",
  "and.32.register.noflags":
    "add.32.register add.32.register.noflags and.32.register and.32.register.noflags cmp.32.register+ja cmp.64.register+jne lea.64.indexed mov.64.register neg.32.register.noflags or.32.register or.32.register.noflags sub.32.register.noflags test.32.register+jne xor.32.register xor.32.register.noflags",
  "and.64.register": "mov.64.base",
  "and.64.register.noflags": "add.64.register cmp.64.register+ja lea.64.indexed",
  "bsf.32.register": "ret.16.register",
  "bsf.64.register": "mov.32.register",
  "bsf.64.register.noflags": "mov.64.register",
  "bswap.32.register": "mov.32.indexed",
  "bt.32.register": "jae.16.register",
  "bt.64.register": "mov.32.register",
  "cbw.64.register": "mov.32.indexed",
  "cmova.32.register": "mov.32.register",
  "cmova.64.register": "sub.64.register.noflags",
  "cmovae.32.register": "sub.32.register",
  "cmovb.32.register": "add.16.register",
  "cmovb.64.register": "test.64.register+je",
  "cmovbe.64.register": "cmp.32.indexed",
  "cmove.32.register": "cmp.32.register+jne",
  "cmovg.64.register": "test.64.register",
  "cmovl.64.register": "cmp.64.register",
  "cmovne.32.register": "add.32.register.noflags ret.16.register",
  "cmovs.64.register": "cmp.64.base+jg sub.64.register",
  "cmp.16.base": "nop.16.register",
  "cmp.16.register": "cmovb.32.register mov.32.register",
  "cmp.32.base": "sete.16.register",
  "cmp.32.indexed": "cmova.64.register cmovbe.64.register",
  "cmp.32.register":
    "cmova.32.register cmovae.32.register mov.32.indexed mov.32.register movsxd.64.register seta.16.register setbe.16.register setl.16.register",
  "cmp.64.base": "sete.16.register",
  "cmp.64.register":
    "cmovb.64.register cmovg.64.register cmovl.64.register mov.32.register sbb.64.register.noflags seta.16.register setl.16.register",
  "comisd.16.register": "ja.16.register",
  "dec.32.base": "jne.16.register",
  "dec.32.register": "jne.16.register",
  "dec.32.register.noflags": "add.32.register.noflags",
  "div.64.register": "lea.64.indexed xor.32.register.noflags",
  "divsd.16.register": "movups.16.register",
  "imul.32.base.noflags": "mov.64.register",
  "imul.32.register": "mov.16.base",
  "imul.32.register.noflags": "add.64.register.noflags",
  "imul.64.register": "add.64.base",
  "imul.64.register.noflags": "add.64.register cmp.64.register+ja",
  "inc.16.indexed": "jmp.16.register",
  "inc.32.base": "mov.32.base mov.64.base",
  "inc.32.register": "mov.16.base movzx.32.register",
  "inc.32.register.noflags": "dec.32.register.noflags",
  "inc.64.register": "cmp.32.base+jb jmp.16.register mov.64.base",
  "inc.64.register.noflags":
    "add.64.register.noflags cmp.64.register+jle cmp.64.register+jne lea.64.indexed mov.64.register nop.16.register shr.64.register.noflags xor.32.register",
  "lea.32.base":
    "and.32.register cmp.16.register+ja cmp.16.register+jbe lea.32.base mov.32.base mov.32.register mov.64.register movsxd.64.register nop.16.register or.32.register.noflags ret.16.register rol.32.register shl.32.register xor.32.register",
  "lea.32.indexed":
    "add.32.register.noflags and.32.register.noflags cmp.32.register+jg mov.32.register shl.32.register",
  "lea.64.base":
    "bt.32.register call.16.register cmp.16.register+ja cmp.16.register+jne cmp.64.base+jbe cmp.64.register+jge jmp.16.register lea.64.base lea.64.indexed mov.32.base mov.32.register mov.64.base mov.64.register movaps.16.base movups.16.base nop.16.register sub.64.register xor.32.register xor.32.register.noflags",
  "lea.64.indexed":
    "add.32.register add.64.register add.64.register.noflags and.32.register.noflags cmp.32.indexed cmp.32.register+jae cmp.32.register+jb cmp.64.base+jae cmp.64.base+je cmp.64.register+jae lea.64.base lea.64.indexed mov.32.base mov.32.indexed mov.32.register mov.64.base mov.64.indexed mov.64.register movsx.64.base movsxd.64.register movzx.32.base nop.16.register shl.64.register shr.32.register.noflags sub.32.register sub.64.register.noflags test.64.register+je xor.32.register",
  "mov.16.base":
    "add.32.register add.64.register cmp.16.base+je cmp.16.base+jne cmp.32.register+jne dec.32.base inc.64.register.noflags jmp.16.register lea.64.base mov.16.base mov.16.indexed mov.32.base mov.32.register mov.64.base mov.64.register movzx.32.base",
  "mov.16.indexed":
    "add.64.register.noflags inc.64.register.noflags mov.16.base mov.16.indexed mov.32.register mov.64.register movsxd.64.register",
  "mov.16.register": "mov.64.register",
  "mov.32.base":
    "add.32.register add.32.register.noflags add.64.register.noflags call.16.register cmp.16.register+je cmp.32.register cmp.32.register+ja cmp.32.register+jae cmp.32.register+jg cmp.32.register+jne cmp.64.register+jg cmp.64.register+jle cmp.64.register+jne comisd.16.register imul.32.base.noflags jmp.16.register lea.32.base lea.32.indexed lea.64.base lea.64.indexed mov.16.base mov.16.indexed mov.32.base mov.32.indexed mov.32.register mov.64.base mov.64.register movzx.32.indexed nop.16.register pop.64.register shl.16.base.noflags sub.64.register.noflags test.32.register+je test.32.register+jne xor.32.register",
  "mov.32.indexed":
    "add.32.indexed.noflags add.32.register add.64.register.noflags bswap.32.register call.16.register cmp.32.indexed+jne cmp.32.register jmp.16.register mov.32.base mov.32.indexed mov.32.register movsxd.64.register nop.16.register sete.16.register xor.32.indexed.noflags xor.32.register.noflags",
  "mov.32.register":
    "add.32.register add.32.register.noflags add.64.register and.32.register and.32.register.noflags call.16.register cmove.32.register cmove.64.register cmp.16.register cmp.16.register+je cmp.32.register+je cmp.32.register+jg cmp.32.register+jne cmp.64.register+ja cmp.64.register+jne je.16.register jmp.16.register jne.16.register lea.64.base mov.16.indexed mov.32.base mov.32.indexed mov.32.register mov.64.base mov.64.register movsxd.64.indexed movsxd.64.register movzx.32.base movzx.32.register nop.16.register not.32.register or.32.register.noflags pop.64.register push.64.register ret.16.register rol.32.register.noflags ror.32.register sbb.32.register.noflags setb.16.register sete.16.register shl.32.register.noflags shr.32.register shr.32.register.noflags shr.64.register.noflags sub.32.register.noflags sub.64.base sub.64.register sub.64.register.noflags test.16.register+jne test.32.register+je test.32.register+jle test.64.register+jne xor.16.register.noflags xor.32.register xor.32.register.noflags",
  "mov.64.base":
    "add.16.register.noflags add.64.base.noflags add.64.register add.64.register.noflags and.32.register and.32.register.noflags bt.64.register call.16.register cmp.16.base+je cmp.16.base+jne cmp.16.register+je cmp.32.register cmp.32.register+jl cmp.64.base+je cmp.64.base+jne cmp.64.register cmp.64.register+jae cmp.64.register+jb cmp.64.register+je cmp.64.register+jge cmp.64.register+jle cmp.64.register+jne imul.64.register inc.64.register inc.64.register.noflags je.16.register jle.16.register jmp.16.register lea.32.base lea.64.base lea.64.indexed mov.16.base mov.32.base mov.32.register mov.64.base mov.64.indexed mov.64.register movq.16.register movsxd.64.register movzx.32.base movzx.32.indexed nop.16.register pop.64.register push.64.register ret.16.register sar.32.register.noflags sub.64.register sub.64.register.noflags test.32.register+jne test.64.register test.64.register+je test.64.register+jle test.64.register+jne test.64.register+js xor.32.register xor.32.register.noflags",
  "mov.64.indexed":
    "call.64.register cmp.64.indexed+jb inc.64.register.noflags jmp.16.register mov.64.base mov.64.indexed mov.64.register test.16.base+je test.16.base+jne",
  "mov.64.register":
    "adc.64.register add.32.base.noflags add.32.register.noflags add.64.register add.64.register.noflags and.64.register.noflags call.16.register call.64.register cmp.16.base+jb cmp.32.register+jne cmp.64.register cmp.64.register+jae cmp.64.register+jne div.64.register imul.64.register.noflags jle.16.register jmp.16.register lea.64.base lea.64.indexed mov.32.base mov.32.register mov.64.base mov.64.register movsd.16.base movsx.64.base movups.16.register mul.64.register neg.64.register neg.64.register.noflags nop.16.register or.32.register.noflags pop.64.register push.64.register ret.16.register shl.32.register.noflags shl.64.register shl.64.register.noflags shr.16.register.noflags shr.32.base.noflags shr.64.register shr.64.register.noflags sub.16.register sub.32.base.noflags sub.32.register sub.64.register sub.64.register.noflags test.16.indexed+jne test.32.register test.32.register+jg test.64.register+je test.64.register+jne test.64.register+js xor.32.base.noflags xor.32.register xor.32.register.noflags",
  "movaps.16.base": "add.64.register add.64.register.noflags cmp.64.register+jne mov.64.base movaps.16.base",
  "movaps.16.indexed": "add.64.register.noflags movups.16.register",
  "movd.16.register": "punpcklwd.16.register",
  "movq.16.register": "pcmpeqb.16.register punpcklbw.16.register ret.16.register",
  "movsd.16.base":
    "call.16.register cmp.64.register+jne mov.32.base movups.16.base mulsd.16.register paddd.16.register por.16.register subsd.16.base subsd.16.register",
  "movsx.32.base": "cmp.32.register+je",
  "movsx.32.register": "sub.32.register.noflags",
  "movsx.64.base": "add.64.register lea.32.base lea.64.base",
  "movsxd.64.indexed": "add.64.register",
  "movsxd.64.register":
    "add.32.register.noflags add.64.register cbw.64.register jl.16.register jne.16.register mov.16.base mov.32.indexed movzx.32.indexed xor.32.register xor.32.register.noflags",
  "movups.16.base": "cmp.64.register+jne mov.64.base movsd.16.base movups.16.base pcmpeqb.16.register",
  "movups.16.register":
    "add.64.register movups.16.register mulsd.16.register nop.16.register paddd.16.register pand.16.register pcmpeqb.16.register pmullw.16.register pslld.16.register psubw.16.register punpckhwd.16.register punpcklwd.16.register pxor.16.register sqrtsd.16.register unpckhpd.16.register unpcklpd.16.register",
  "movzx.32.base":
    "add.64.register add.64.register.noflags and.16.register.noflags call.16.register cmp.16.base+jg cmp.16.register+jbe cmp.32.register+jae inc.32.register jmp.16.register lea.32.indexed mov.16.base mov.16.indexed mov.32.base mov.32.register mov.64.base mov.64.register movaps.16.base movsxd.64.register movzx.32.base nop.16.register test.16.register+je test.16.register+js test.32.register+jne",
  "movzx.32.indexed":
    "add.64.register bt.32.register call.16.register cmp.16.indexed+jb cmp.16.register+jae cmp.16.register+je cmp.32.base+jae inc.32.register lea.32.base mov.16.indexed mov.32.register mov.64.base mov.64.indexed mov.64.register movzx.32.indexed nop.16.register shl.32.register.noflags test.16.register+jne xor.32.register.noflags",
  "movzx.32.register":
    "add.32.indexed and.32.register.noflags cmp.32.register+jne cmp.64.register jmp.16.register lea.32.indexed mov.32.register nop.16.register xor.32.indexed",
  "mul.64.register": "mov.64.register",
  "mulpd.16.register": "addpd.16.register mulsd.16.register subpd.16.register",
  "mulsd.16.register":
    "addsd.16.base addsd.16.register movups.16.register mulpd.16.register mulsd.16.register unpckhpd.16.register",
  "neg.32.register.noflags": "shr.32.register.noflags",
  "neg.64.register": "cmovs.64.register",
  "neg.64.register.noflags": "sar.64.register.noflags sub.64.register.noflags",
  "nop.16.register":
    "and.64.register.noflags call.16.register cmp.16.register+ja cmp.16.register+je cmp.32.register+ja cmp.64.register+ja cmp.64.register+jae cmp.64.register+jbe cmp.64.register+jg cmp.64.register+jge cmp.64.register+jle inc.32.base je.16.register jmp.16.register jne.16.register lea.64.indexed mov.32.base mov.32.register mov.64.base mov.64.register movzx.32.base nop.16.register test.16.register+je test.64.register+je",
  "not.32.register": "and.32.register.noflags ret.16.register",
  "not.64.register": "test.64.register",
  "or.16.register": "je.16.register mov.32.register",
  "or.32.base.noflags": "cmp.32.register+jbe",
  "or.32.register": "dec.32.register lea.32.base",
  "or.32.register.noflags":
    "and.32.register.noflags cmp.16.register+jne movzx.32.register or.32.register.noflags shl.64.register.noflags shr.64.register.noflags test.16.register+jne xor.32.register.noflags",
  "or.64.register": "div.64.register mov.64.base movq.16.register",
  "or.64.register.noflags": "bsf.64.register.noflags",
  "packuswb.16.register": "movups.16.register",
  "paddd.16.register":
    "cmp.64.register+jne movsd.16.base movups.16.register paddd.16.register punpcklwd.16.register",
  "paddw.16.register": "movaps.16.indexed",
  "pand.16.register": "paddd.16.register pand.16.register psrlw.16.register",
  "pcmpeqb.16.register": "pmovmskb.16.register",
  "pmovmskb.16.register": "movzx.32.register test.32.register+je",
  "pmullw.16.register": "paddw.16.register",
  "pop.64.register":
    "jmp.16.register mov.64.base mov.64.register pop.64.register ret.16.register test.64.register",
  "por.16.register": "movups.16.register por.16.register psrld.16.register pxor.16.register",
  "pshufd.16.register": "pmullw.16.register",
  "pslld.16.register": "movsd.16.base por.16.register psrld.16.register punpckhwd.16.register",
  "psrad.16.register": "pand.16.register psrad.16.register",
  "psrld.16.register": "movups.16.register por.16.register pslld.16.register",
  "psrlw.16.register": "packuswb.16.register",
  "psubw.16.register": "movaps.16.indexed",
  "punpckhbw.16.register": "movups.16.register",
  "punpckhwd.16.register": "movups.16.register punpcklwd.16.register",
  "punpcklbw.16.register": "pshuflw.16.register",
  "punpcklwd.16.register":
    "movups.16.register pshufd.16.register psrad.16.register punpckhwd.16.register punpcklwd.16.register",
  "pxor.16.register":
    "lea.64.base mov.32.register mov.64.register movsd.16.base movups.16.register psrld.16.register pxor.16.register",
  "rol.32.register": "inc.32.register.noflags movsxd.64.register",
  "rol.32.register.noflags": "xor.32.register xor.32.register.noflags",
  "rol.64.register": "rol.64.register.noflags",
  "rol.64.register.noflags":
    "add.64.register.noflags mov.64.register xor.64.register xor.64.register.noflags",
  "ror.32.register": "ror.32.register.noflags",
  "ror.32.register.noflags": "and.32.register.noflags mov.32.register xor.32.register",
  "sar.32.register.noflags": "lea.64.indexed",
  "sar.64.register.noflags": "add.64.register and.64.register.noflags",
  "sbb.32.register.noflags": "lea.64.indexed",
  "sbb.64.register.noflags": "and.64.register test.16.register+je",
  "seta.16.register": "cmp.32.register or.16.register sbb.16.register",
  "setb.16.register": "mov.32.register",
  "setbe.16.register": "cmp.32.register+ja",
  "sete.16.register": "and.16.register cmp.16.register mov.32.register mov.64.base",
  "setg.16.register": "mov.16.register",
  "setl.16.register": "add.64.register.noflags or.16.register setg.16.register",
  "setne.16.register": "movzx.32.register setne.16.register",
  "shl.16.base.noflags": "test.16.register+jne",
  "shl.32.register": "inc.32.register.noflags mov.32.base or.32.base.noflags",
  "shl.32.register.noflags":
    "and.32.register.noflags lea.32.base mov.32.register xor.32.register.noflags xor.64.register.noflags",
  "shl.64.register": "mov.64.base",
  "shl.64.register.noflags": "not.64.register or.64.register xor.64.register.noflags",
  "shld.64.register.noflags": "sub.64.register",
  "shr.16.register": "inc.64.register",
  "shr.16.register.noflags": "mov.32.register test.16.register+je",
  "shr.32.base.noflags": "sub.64.register",
  "shr.32.register": "mov.16.base mov.32.register movzx.32.register",
  "shr.32.register.noflags": "add.32.register lea.32.indexed xor.32.register xor.32.register.noflags",
  "shr.64.register": "lea.64.indexed movzx.32.indexed",
  "shr.64.register.noflags":
    "and.32.register.noflags cmp.64.register+jge mov.64.register nop.16.register or.64.register xor.64.register.noflags",
  "sqrtsd.16.register": "mulsd.16.register",
  "sub.16.register": "je.16.register mov.64.base",
  "sub.32.base.noflags": "sub.64.register",
  "sub.32.indexed": "nop.16.register",
  "sub.32.register":
    "call.16.register je.16.register jne.16.register mov.32.base mov.32.register mov.64.base movzx.32.base",
  "sub.32.register.noflags":
    "cmp.32.register cmp.32.register+ja cmp.32.register+jbe cmp.32.register+je cmp.32.register+jge lea.32.base mov.32.register nop.16.register sub.32.register",
  "sub.64.base": "jbe.16.register mov.64.base sub.64.base",
  "sub.64.base.noflags": "mov.64.register",
  "sub.64.register":
    "add.64.base cmp.64.base+jae jae.16.register jb.16.register jbe.16.register jmp.16.register jne.16.register lea.64.indexed mov.32.base mov.32.indexed mov.32.register mov.64.base mov.64.register",
  "sub.64.register.noflags":
    "add.64.register add.64.register.noflags cmp.32.register+jb cmp.64.register cmp.64.register+ja cmp.64.register+jae cmp.64.register+jb cmp.64.register+jg cmp.64.register+jge mov.32.register mov.64.register sar.64.register.noflags sub.64.register sub.64.register.noflags test.64.register+je xor.32.register.noflags",
  "subpd.16.register": "movsd.16.base",
  "subsd.16.base": "movups.16.register",
  "subsd.16.register": "movups.16.base",
  "test.16.base": "movzx.32.register",
  "test.16.register": "cmovne.32.register",
  "test.32.register": "mov.32.base",
  "test.64.register": "cmovs.64.register mov.32.register mov.64.base pop.64.register setne.16.register",
  "ucomisd.16.register": "ja.16.register",
  "unpckhpd.16.register": "movups.16.register mulpd.16.register unpckhpd.16.register",
  "unpcklpd.16.register": "mulpd.16.register nop.16.register",
  "xor.16.register.noflags": "and.32.register",
  "xor.32.base.noflags": "sub.64.register",
  "xor.32.indexed": "jmp.16.register lea.32.base",
  "xor.32.indexed.noflags": "lea.32.base",
  "xor.32.register":
    "add.32.base.noflags call.16.register cmp.32.base jmp.16.register mov.16.base mov.32.base mov.32.indexed mov.32.register mov.64.base movzx.32.indexed nop.16.register push.64.register ret.16.register shr.32.register xor.32.indexed",
  "xor.32.register.noflags":
    "add.32.register.noflags add.64.register and.32.register and.32.register.noflags cmp.16.register+je cmp.32.register+je cmp.64.register+jge cmp.64.register+jne lea.32.base lea.32.indexed mov.32.register mov.64.register nop.16.register shld.64.register.noflags shr.16.register.noflags sub.64.register test.16.register test.32.register+jne test.64.register+jne xor.32.register xor.32.register.noflags xor.64.register",
  "xor.64.register": "mov.64.register rol.64.register rol.64.register.noflags",
  "xor.64.register.noflags":
    "add.64.register mov.64.register or.64.register.noflags sub.32.register.noflags xor.64.register.noflags",
};

/** First handler's name, and the names of those that may follow it. */
export const FREQUENT_PAIRS: readonly (readonly [first: string, seconds: readonly string[]])[] =
  Object.entries(PAIRS).map(([first, seconds]) => [first, seconds.split(" ")]);
