package caudal;

import caudal.Fault.Code;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.spark.unsafe.types.UTF8String;

/** Checks a record's bytes before they are parsed. */
final class Bytes {
  private static final VarHandle EIGHT =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
  private static final long HIGH_BITS = 0x8080808080808080L;

  private Bytes() {}

  /**
   * Why the bytes are not parsed; null when they are. {@code longest}: in bytes; {@code blank}: the code of a
   * record of white space.
   */
  static Code unread(byte[] bytes, int longest, Code blank) {
    if (bytes == null) {
      return Code.NULL_VALUE;
    }
    if (bytes.length > longest) {
      return Code.TOO_LONG;
    }
    if (isBlank(bytes)) {
      return blank;
    }
    // Jackson accepts overlong forms of UTF-8, so the bytes are checked before
    return isAscii(bytes) || UTF8String.fromBytes(bytes).isValid() ? null : Code.MALFORMED;
  }

  /** Whether a record has only white space, after byte order marks if there are any. */
  static boolean isBlank(byte[] bytes) {
    for (int at = unmarked(bytes, 0); at < bytes.length; at++) {
      if (bytes[at] != ' ' && (bytes[at] < '\t' || bytes[at] > '\r' || bytes[at] == '\n')) {
        return false;
      }
    }
    return true;
  }

  /**
   * The place after the byte order marks at {@code from}: joined files have one at the start of a later line.
   */
  static int unmarked(byte[] bytes, int from) {
    int at = from;
    while (bytes.length - at >= 3
        && bytes[at] == (byte) 0xEF
        && bytes[at + 1] == (byte) 0xBB
        && bytes[at + 2] == (byte) 0xBF) {
      at += 3;
    }
    return at;
  }

  private static boolean isAscii(byte[] bytes) {
    int i = 0;
    for (; i + Long.BYTES <= bytes.length; i += Long.BYTES) {
      if (((long) EIGHT.get(bytes, i) & HIGH_BITS) != 0) {
        return false;
      }
    }
    for (; i < bytes.length; i++) {
      if (bytes[i] < 0) {
        return false;
      }
    }
    return true;
  }
}
