/** /proc/net: the loopback interface, and tables that are empty as long as there is no network. */

import {
  fixedDirectory,
  fixedFile,
  type SyntheticDirectory,
  type SyntheticFileSystem,
} from "./proc-inode.ts";

const DEV =
  "Inter-|   Receive                                                |  Transmit\n" +
  " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
  "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n";
const TCP =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n";
const TCP6 =
  "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const UDP =
  "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n";
const UNIX = "Num       RefCount Protocol Flags    Type St Inode Path\n";
const ROUTE =
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n";

export function networkDirectory(fileSystem: SyntheticFileSystem): SyntheticDirectory {
  const file = (content: string) => fixedFile(fileSystem, content);
  return fixedDirectory(fileSystem, {
    arp: file("IP address       HW type     Flags       HW address            Mask     Device\n"),
    dev: file(DEV),
    if_inet6: file(""),
    route: file(ROUTE),
    tcp: file(TCP),
    tcp6: file(TCP6),
    udp: file(UDP),
    udp6: file(TCP6),
    unix: file(UNIX),
  });
}
