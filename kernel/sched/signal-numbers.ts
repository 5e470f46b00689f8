/** Signals: numbers, names, default actions, siginfo codes (signal(7); asm/signal.h; asm-generic/siginfo.h). */

export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGILL = 4;
export const SIGTRAP = 5;
export const SIGABRT = 6;
export const SIGBUS = 7;
export const SIGFPE = 8;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGSEGV = 11;
export const SIGUSR2 = 12;
export const SIGPIPE = 13;
export const SIGALRM = 14;
export const SIGTERM = 15;
export const SIGSTKFLT = 16;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;
export const SIGURG = 23;
export const SIGXCPU = 24;
export const SIGXFSZ = 25;
export const SIGVTALRM = 26;
export const SIGPROF = 27;
export const SIGWINCH = 28;
export const SIGIO = 29;
export const SIGPWR = 30;
export const SIGSYS = 31;
/** First real-time signal of the kernel (C libraries keep some for themselves). */
export const SIGRTMIN = 32;
/** Highest signal (_NSIG). */
export const SIGNAL_MAX = 64;

const NAMES = [
  "0",
  "HUP",
  "INT",
  "QUIT",
  "ILL",
  "TRAP",
  "ABRT",
  "BUS",
  "FPE",
  "KILL",
  "USR1",
  "SEGV",
  "USR2",
  "PIPE",
  "ALRM",
  "TERM",
  "STKFLT",
  "CHLD",
  "CONT",
  "STOP",
  "TSTP",
  "TTIN",
  "TTOU",
  "URG",
  "XCPU",
  "XFSZ",
  "VTALRM",
  "PROF",
  "WINCH",
  "IO",
  "PWR",
  "SYS",
];

/** "SIGSEGV"; real-time signals are "SIGRT_n", as strace prints them. */
export function signalName(signal: number): string {
  if (signal >= SIGRTMIN && signal <= SIGNAL_MAX)
    return signal === SIGRTMIN ? "SIGRTMIN" : `SIGRT_${signal - SIGRTMIN}`;
  return signal > 0 && signal < NAMES.length ? `SIG${NAMES[signal]}` : String(signal);
}

/** What the shell prints about a program that died of it (glibc strsignal()). */
export const SIGNAL_DESCRIPTIONS: Readonly<Record<number, string>> = {
  [SIGHUP]: "Hangup",
  [SIGINT]: "Interrupt",
  [SIGQUIT]: "Quit",
  [SIGILL]: "Illegal instruction",
  [SIGTRAP]: "Trace/breakpoint trap",
  [SIGABRT]: "Aborted",
  [SIGBUS]: "Bus error",
  [SIGFPE]: "Floating point exception",
  [SIGKILL]: "Killed",
  [SIGUSR1]: "User defined signal 1",
  [SIGSEGV]: "Segmentation fault",
  [SIGUSR2]: "User defined signal 2",
  [SIGPIPE]: "Broken pipe",
  [SIGALRM]: "Alarm clock",
  [SIGTERM]: "Terminated",
  [SIGSYS]: "Bad system call",
};

/** Bit of a signal in a signal set. */
export function signalBit(signal: number): bigint {
  return 1n << BigInt(signal - 1);
}

function setOf(...signals: number[]): bigint {
  return signals.reduce((set, signal) => set | signalBit(signal), 0n);
}

/** Cannot be caught, blocked or ignored. */
export const UNBLOCKABLE = setOf(SIGKILL, SIGSTOP);
export const IGNORED_BY_DEFAULT = setOf(SIGCHLD, SIGCONT, SIGURG, SIGWINCH);
export const STOPS_BY_DEFAULT = setOf(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);
/** Raised by the instruction itself: delivered before others (SYNCHRONOUS_MASK, kernel/signal.c). */
export const SYNCHRONOUS = setOf(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS);

/** si_code */
export const SiCode = {
  USER: 0,
  KERNEL: 0x80,
  QUEUE: -1,
  TIMER: -2,
  MESGQ: -3,
  ASYNCIO: -4,
  SIGIO: -5,
  TKILL: -6,
  ILL_ILLOPN: 2,
  ILL_PRVOPC: 5,
  FPE_INTDIV: 1,
  FPE_INTOVF: 2,
  FPE_FLTDIV: 3,
  FPE_FLTOVF: 4,
  FPE_FLTUND: 5,
  FPE_FLTRES: 6,
  FPE_FLTINV: 7,
  SEGV_MAPERR: 1,
  SEGV_ACCERR: 2,
  BUS_ADRALN: 1,
  BUS_ADRERR: 2,
  TRAP_BRKPT: 1,
  TRAP_TRACE: 2,
  CLD_EXITED: 1,
  CLD_KILLED: 2,
  CLD_DUMPED: 3,
  CLD_TRAPPED: 4,
  CLD_STOPPED: 5,
  CLD_CONTINUED: 6,
} as const;
