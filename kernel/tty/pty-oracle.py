"""Plays scripts on a pseudo-terminal of the host, for line-discipline.test.ts.

Argument: milliseconds to give the kernel's worker after each step. Input: JSON list of cases {"termios": [iflag, oflag, lflag], "cc": {index: byte}, "steps": [...]}. A step is
["keys", hex], ["write", hex], ["read", n], ["set", [iflag, oflag, lflag]] or ["flush"].
Output: for each case the list of what each step did: [screen output as hex, result, FIONREAD].
"""

import fcntl, json, os, pty, select, struct, sys, termios, time


def attributes(fd, flags, cc):
    a = termios.tcgetattr(fd)
    a[0], a[1], a[3] = flags
    for index, value in cc.items():
        a[6][int(index)] = bytes([value])
    termios.tcsetattr(fd, termios.TCSANOW, a)


PAUSE = float(sys.argv[1]) / 1000


def settle(fd):
    # Polling makes the kernel hand over what is under way (tty_buffer_flush_work), unless there is input already.
    p = select.poll()
    p.register(fd, select.POLLIN)
    p.poll(0)


def screen(master):
    out = b""
    while True:
        settle(master)
        try:
            out += os.read(master, 65536)
        except BlockingIOError:
            return out.hex()


def play(case):
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    os.set_blocking(slave, False)
    attributes(slave, case["termios"], case["cc"])
    results = []
    for step in case["steps"]:
        result = None
        if step[0] == "keys":
            result = os.write(master, bytes.fromhex(step[1]))
            time.sleep(PAUSE)
        elif step[0] == "write":
            try:
                result = os.write(slave, bytes.fromhex(step[1]))
            except BlockingIOError:
                result = "EAGAIN"
        elif step[0] == "read":
            settle(slave)
            try:
                result = os.read(slave, step[1]).hex()
                time.sleep(PAUSE)
            except BlockingIOError:
                result = "EAGAIN"
        elif step[0] == "set":
            attributes(slave, step[1], {})
        elif step[0] == "flush":
            settle(slave)
            termios.tcflush(slave, termios.TCIFLUSH)
        settle(slave)
        pending = struct.unpack("i", fcntl.ioctl(slave, termios.FIONREAD, b"\0" * 4))[0]
        results.append([screen(master), result, pending])
    os.close(master)
    os.close(slave)
    return results


json.dump([play(case) for case in json.load(sys.stdin)], sys.stdout)
