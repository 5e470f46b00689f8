import { describe, expect, it } from "vitest";
import { EBADF, EMFILE } from "../errno.ts";
import { testClock } from "../fs/testing/guest.ts";
import { AnonymousInode } from "./anonymous-inode.ts";
import { FileTable } from "./file-table.ts";
import { S_IFIFO } from "./inode.ts";
import { OpenFile } from "./open-file.ts";

class ProbeFile extends OpenFile {
  override readonly inode = new AnonymousInode(S_IFIFO | 0o600, testClock);
  closed = 0;

  override describe(): string {
    return "probe";
  }

  override close(): void {
    this.closed++;
  }
}

const file = () => new ProbeFile(0);

describe("FileTable", () => {
  it("gives the lowest free descriptor", () => {
    const table = new FileTable();
    expect([0, 1, 2, 3].map(() => table.install(file()))).toEqual([0, 1, 2, 3]);
    table.remove(1);
    table.remove(2);
    expect(table.install(file())).toBe(1);
    expect(table.install(file(), false, 10)).toBe(10);
    expect(table.install(file())).toBe(2);
    expect(table.install(file())).toBe(4);
  });

  it("stops at its limit", () => {
    const table = new FileTable(2);
    table.install(file());
    table.install(file());
    expect(table.install(file())).toBe(-EMFILE);
    expect(table.installAt(2, file(), false)).toBe(-EBADF);
    table.limit = 3;
    expect(table.install(file())).toBe(2);
  });

  it("closes a file with its last descriptor", () => {
    const table = new FileTable();
    const probe = file();
    table.install(probe);
    table.install(probe);
    table.installAt(7, probe, false);
    table.remove(0);
    table.remove(7);
    expect(probe.closed).toBe(0);
    table.remove(1);
    expect(probe.closed).toBe(1);
    expect(table.remove(1)).toBe(-EBADF);
  });

  it("closes what dup2 replaces", () => {
    const table = new FileTable();
    const [old, replacement] = [file(), file()];
    table.install(old);
    table.install(replacement);
    expect(table.installAt(0, replacement, true)).toBe(0);
    expect(old.closed).toBe(1);
    expect(table.isCloseOnExec(0)).toBe(true);
    expect(table.isCloseOnExec(1)).toBe(false);
  });

  it("closes only what is marked when a program is executed", () => {
    const table = new FileTable();
    const [kept, gone] = [file(), file()];
    table.install(kept);
    table.install(gone, true);
    table.closeOnExec();
    expect([kept.closed, gone.closed]).toEqual([0, 1]);
    expect([...table.entries()]).toEqual([[0, kept]]);
  });

  it("is copied with its files, which stay open until both tables are gone", () => {
    const table = new FileTable();
    const probe = file();
    table.install(probe);
    const copy = table.clone();
    table.release();
    expect(probe.closed).toBe(0);
    copy.release();
    expect(probe.closed).toBe(1);
  });

  it("stays while somebody shares it", () => {
    const table = new FileTable();
    const probe = file();
    table.install(probe);
    table.share();
    table.release();
    expect(probe.closed).toBe(0);
    table.release();
    expect(probe.closed).toBe(1);
  });
});
