package caudal;

import caudal.Fault.Code;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.spark.unsafe.types.UTF8String;

/** What is said of a record's bytes before any parsing. */
final class Bytes {
  private static final VarHandle EIGHT = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
  private static final long HIGH_BITS = 0x8080808080808080L;

  private Bytes() {}

  /** Why they need no parsing; null when they do. */
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
    // Jackson takes overlong forms
    return isAscii(bytes) || UTF8String.fromBytes(bytes).isValid() ? null : Code.MALFORMED;
  }

  private static boolean isBlank(byte[] bytes) {
    for (byte one : bytes) {
      if (one != ' ' && (one < '\t' || one > '\r' || one == '\n')) {
        return false;
      }
    }
    return true;
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
