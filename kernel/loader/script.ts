/** "#!" scripts: the first line names the interpreter (Linux fs/binfmt_script.c). */

import { decodeName } from "../vfs/names.ts";

/** How much of a file execve looks at (BINPRM_BUF_SIZE). */
export const SCRIPT_HEAD = 256;

export interface ScriptLine {
  readonly interpreter: string;
  /** Everything behind the first blank, as one argument; none if there is nothing. */
  readonly argument: string | undefined;
}

/** @returns what the "#!" line says; undefined for files without one; "malformed" for a line without a usable name */
export function parseScript(head: Uint8Array): ScriptLine | "malformed" | undefined {
  if (head.length < 2 || head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  // The last byte of the buffer is always its end.
  const window = head.subarray(2, SCRIPT_HEAD - 1);
  let end = window.indexOf(0x0a);
  const nul = window.indexOf(0);
  if (nul >= 0 && (end < 0 || nul < end)) end = nul;
  const cut = end < 0;
  const line = decodeName(cut ? window : window.subarray(0, end));
  const match = /^[ \t]*([^ \t]+)([ \t]*)(.*)$/s.exec(line);
  if (match === null) return "malformed";
  // A name that runs out of the window may have been cut short.
  if (cut && match[2] === "" && head.length >= SCRIPT_HEAD) return "malformed";
  const argument = match[3].replace(/[ \t]+$/, "");
  return { interpreter: match[1], argument: argument === "" ? undefined : argument };
}
