package caudal;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.api.java.UDF1;

/**
 * A SQL function that splits a whole csv file into its records, in order and unchanged, without their line
 * ends. Blank ones are left out. Quoted fields may have line ends. The rules are those of
 * jobs/contract/text/csv_records.py, which counts the records at intake.
 */
public final class SplitCsv implements UDF1<byte[], byte[][]> {
  private static final long serialVersionUID = 1L;
  private static final int BROKEN = -1;
  private static final int LAST = -2;

  private final byte[] separator;

  public SplitCsv(String separator) {
    this.separator = separator.getBytes(java.nio.charset.StandardCharsets.UTF_8);
  }

  @Override
  public byte[][] call(byte[] data) {
    List<byte[]> records = new ArrayList<>();
    for (int start = 0; start < data.length; ) {
      int end = end(data, start);
      int until = end > start && data[end - 1] == '\r' ? end - 1 : end;
      byte[] record = Arrays.copyOfRange(data, start, until);
      if (!Bytes.isBlank(record)) {
        records.add(record);
      }
      start = end + 1;
    }
    return records.toArray(byte[][]::new);
  }

  /** The end of the record that begins at {@code start}: the place of its \n, or the end of the data. */
  private int end(byte[] data, int start) {
    int lineEnd = lineEnd(data, start);
    int field = Bytes.unmarked(data, start);
    for (int opening; (opening = opening(data, field, lineEnd)) >= 0; ) {
      int closing = closing(data, opening + 1);
      field = behind(data, closing);
      if (field == BROKEN) {
        return lineEnd;
      }
      if (closing > lineEnd) {
        lineEnd = lineEnd(data, closing);
      }
      if (field == LAST) {
        return lineEnd;
      }
    }
    return lineEnd;
  }

  private static int lineEnd(byte[] data, int from) {
    int at = from;
    while (at < data.length && data[at] != '\n') {
      at++;
    }
    return at;
  }

  /**
   * The place where the first quoted field before {@code end} opens, or -1. {@code field}: a place where a
   * field begins.
   */
  private int opening(byte[] data, int field, int end) {
    for (int at = field; at < end; at++) {
      if (data[at] == '"' && (at == field || follows(data, field, at))) {
        return at;
      }
    }
    return -1;
  }

  /** Whether a separator ends at {@code at} and begins at or after {@code field}. */
  private boolean follows(byte[] data, int field, int at) {
    int from = at - separator.length;
    return from >= field && Arrays.equals(data, from, at, separator, 0, separator.length);
  }

  /** The place of the first unpaired quote, or -1. {@code inside}: a place in a quoted field. */
  private static int closing(byte[] data, int inside) {
    for (int at = inside; at < data.length; at++) {
      if (data[at] == '"') {
        if (at + 1 == data.length || data[at + 1] != '"') {
          return at;
        }
        at++;
      }
    }
    return -1;
  }

  /**
   * The place where the next field begins; LAST at a line end; BROKEN where the field is not closed properly.
   */
  private int behind(byte[] data, int closing) {
    if (closing < 0) {
      return BROKEN;
    }
    int next = closing + 1;
    int end = next + separator.length;
    if (end <= data.length && Arrays.equals(data, next, end, separator, 0, separator.length)) {
      return next + separator.length;
    }
    int line = next < data.length && data[next] == '\r' ? next + 1 : next;
    return line >= data.length || data[line] == '\n' ? LAST : BROKEN;
  }
}
