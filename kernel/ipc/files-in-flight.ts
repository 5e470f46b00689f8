/** Open files in messages of AF_UNIX sockets that nobody has received yet (net/core/scm.c, net/unix/garbage.c). */

import type { OpenFile } from "../vfs/open-file.ts";

let inFlight = 0;
/** Files whose messages are gone: see {@link drop}. */
const doomed: OpenFile[] = [];
let dropping = false;

export const filesInFlight = {
  /** How many there are. Each is open, but counts for nobody's limit of descriptors. */
  get count(): number {
    return inFlight;
  },

  depart(files: readonly OpenFile[]): void {
    inFlight += files.length;
  },

  arrive(files: readonly OpenFile[]): void {
    inFlight -= files.length;
  },

  /**
   * Their message will not be received. They may be sockets with messages of their own, with sockets in them, and so on:
   * they are closed one after the other, as recursion would have no bottom.
   */
  drop(files: readonly OpenFile[]): void {
    inFlight -= files.length;
    doomed.push(...files);
    if (dropping) return;
    dropping = true;
    try {
      for (let file = doomed.pop(); file !== undefined; file = doomed.pop()) file.release();
    } finally {
      dropping = false;
    }
  },
};
