/** Ctrl-A and what follows it on a serial console: the keys of QEMU's `-nographic`, as far as we have what they do. */

const CTRL_A = 0x01;

/** What a key behind Ctrl-A asks for. */
export type ConsoleCommand = "quit" | "save" | "debug" | "break" | "display" | "help";

const COMMANDS: Readonly<Record<string, ConsoleCommand>> = {
  x: "quit",
  s: "save",
  d: "debug",
  b: "break",
  t: "display",
  h: "help",
  "?": "help",
};

export const CONSOLE_HELP = [
  "Ctrl-A h    this help (Ctrl-A ? too)",
  "Ctrl-A t    show the VGA's text screen",
  "Ctrl-A x    leave: the machine is switched off hard",
  "Ctrl-A s    save the machine to the file named by --save; it runs on",
  "Ctrl-A d    stop in the debugger (osv-vm debug)",
  "Ctrl-A b    send a break: what follows is for Linux a Magic SysRq key",
  "Ctrl-A Ctrl-A    send Ctrl-A to the guest",
] as const;

export class ConsoleEscape {
  private isEscaped = false;

  constructor(private readonly onCommand: (command: ConsoleCommand) => void) {}

  /** What of the typed bytes goes to the guest. */
  filter(bytes: Uint8Array): Uint8Array {
    const passed: number[] = [];
    for (const byte of bytes) {
      if (this.isEscaped) {
        this.isEscaped = false;
        const command = COMMANDS[String.fromCharCode(byte)];
        if (byte === CTRL_A) passed.push(byte);
        else if (command !== undefined) this.onCommand(command);
      } else if (byte === CTRL_A) this.isEscaped = true;
      else passed.push(byte);
    }
    return new Uint8Array(passed);
  }
}
