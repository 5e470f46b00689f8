/** Signals in the gdb remote protocol have numbers of their own (gdb's include/gdb/signals.def). */

/** By Linux' numbers 0…31. */
const BY_LINUX = [
  0, 1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, 0, 20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28,
  23, 32, 12,
];
const UNKNOWN = 143;
/** Real-time signals 33…63 are in a row; 32 and 64 stand behind them. */
const REALTIME_33 = 45;
const REALTIME_32 = 77;
const REALTIME_64 = 78;

export function gdbSignal(linux: number): number {
  if (linux === 32) return REALTIME_32;
  if (linux === 64) return REALTIME_64;
  if (linux > 32 && linux < 64) return REALTIME_33 + linux - 33;
  return BY_LINUX[linux] || UNKNOWN;
}

/** @returns 0 for what Linux has not got */
export function linuxSignal(gdb: number): number {
  if (gdb === REALTIME_32) return 32;
  if (gdb === REALTIME_64) return 64;
  if (gdb >= REALTIME_33 && gdb < REALTIME_33 + 31) return gdb - REALTIME_33 + 33;
  return gdb === 0 ? 0 : Math.max(0, BY_LINUX.indexOf(gdb));
}
