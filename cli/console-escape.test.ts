import { describe, expect, it } from "vitest";
import { type ConsoleCommand, ConsoleEscape } from "./console-escape.ts";

const bytes = (text: string) => new Uint8Array([...text].map((letter) => letter.charCodeAt(0)));

function create() {
  const commands: ConsoleCommand[] = [];
  const filter = new ConsoleEscape((command) => commands.push(command));
  const type = (text: string) => String.fromCharCode(...filter.filter(bytes(text)));
  return { commands, type };
}

describe("the console's escape key", () => {
  it("lets everything else through", () => {
    expect(create().type("ls -l\r\x03\x1b[A")).toBe("ls -l\r\x03\x1b[A");
  });

  it("makes commands of Ctrl-A x and Ctrl-A h, also when they come in pieces", () => {
    const { commands, type } = create();
    expect(type("a\x01")).toBe("a");
    expect(type("xb\x01hc")).toBe("bc");
    expect(commands).toEqual(["quit", "help"]);
  });

  it("has QEMU's keys for saving, for a break and for help", () => {
    const { commands, type } = create();
    expect(type("\x01s\x01b\x01?")).toBe("");
    expect(commands).toEqual(["save", "break", "help"]);
  });

  it("sends Ctrl-A when it is typed twice, and forgets what it does not know", () => {
    const { commands, type } = create();
    expect(type("\x01\x01\x01z!")).toBe("\x01!");
    expect(commands).toEqual([]);
  });
});
