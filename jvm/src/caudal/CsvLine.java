package caudal;

import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Rows as csv, RFC 4180 with a line feed as line end. Null is nothing between two separators, an empty string is {@code ""}. A value is quoted
 * where a reader could take it for anything else: a quote, separator or control character in it, a blank at either end, a {@code #} or a byte
 * order mark in front.
 */
final class CsvLine implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final DateTimeFormatter MILLIS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS");
  private static final DateTimeFormatter MICROS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS");
  private static final int MILLION = 1_000_000;

  private final StructType schema;
  private final DataType[] types;
  private final byte[] separator;
  private final boolean[] risky = new boolean[256]; // by byte: a value that holds it is quoted
  private byte[] line = new byte[1024];
  private int size;

  /** Throws IllegalArgumentException for a type that has no csv form. */
  CsvLine(StructType schema, String separator) {
    this.schema = schema;
    this.separator = separator.getBytes(StandardCharsets.UTF_8);
    types = Arrays.stream(schema.fields()).map(CsvLine::known).toArray(DataType[]::new);
    for (int c = 0; c < ' '; c++) {
      risky[c] = true;
    }
    risky['"'] = risky[0x7f] = true;
    for (byte one : this.separator) {
      risky[one & 0xff] = true;
    }
  }

  private static DataType known(StructField field) {
    DataType type = field.dataType();
    boolean ours = type instanceof StringType || type instanceof DecimalType
        || Arrays.asList(DataTypes.BooleanType, DataTypes.ByteType, DataTypes.ShortType, DataTypes.IntegerType, DataTypes.LongType,
            DataTypes.FloatType, DataTypes.DoubleType, DataTypes.DateType, DataTypes.TimestampType, DataTypes.TimestampNTZType).contains(type);
    if (!ours) {
      throw new IllegalArgumentException("column " + field.name() + ": " + type.simpleString() + " has no csv form");
    }
    return type;
  }

  /** The columns' names as a line. */
  void names() {
    String[] names = schema.fieldNames();
    for (int i = 0; i < names.length; i++) {
      separate(i);
      value(names[i].getBytes(StandardCharsets.UTF_8));
    }
    end();
  }

  /** A row as a line. Throws {@link LoneNull}: a line that holds nothing is none to most readers. */
  void row(InternalRow row) throws LoneNull {
    if (types.length == 1 && row.isNullAt(0)) {
      throw new LoneNull(schema.fieldNames()[0]);
    }
    values(row);
    end();
  }

  /** A row without a line end. */
  void values(InternalRow row) {
    for (int i = 0; i < types.length; i++) {
      separate(i);
      if (!row.isNullAt(i)) {
        value(text(row, i));
      }
    }
  }

  private byte[] text(InternalRow row, int i) {
    DataType type = types[i];
    if (type instanceof StringType) {
      return row.getUTF8String(i).getBytes();
    }
    return spelled(row, i, type).getBytes(StandardCharsets.ISO_8859_1);
  }

  private static String spelled(InternalRow row, int i, DataType type) {
    if (type instanceof DecimalType decimal) {
      return row.getDecimal(i, decimal.precision(), decimal.scale()).toJavaBigDecimal().toPlainString();
    }
    return switch (type.typeName()) {
      case "double" -> Double.toString(row.getDouble(i));
      case "long" -> Long.toString(row.getLong(i));
      case "integer" -> Integer.toString(row.getInt(i));
      case "boolean" -> Boolean.toString(row.getBoolean(i));
      case "date" -> LocalDate.ofEpochDay(row.getInt(i)).toString();
      case "timestamp" -> time(row.getLong(i)) + "Z";
      case "timestamp_ntz" -> time(row.getLong(i));
      case "float" -> Float.toString(row.getFloat(i));
      case "short" -> Short.toString(row.getShort(i));
      default -> Byte.toString(row.getByte(i));
    };
  }

  /** Microseconds since 1970 as ISO 8601: three digits of the second, six where three would lose any. */
  private static String time(long micros) {
    long rest = Math.floorMod(micros, MILLION);
    Instant at = Instant.ofEpochSecond(Math.floorDiv(micros, MILLION), rest * 1000);
    return (rest % 1000 == 0 ? MILLIS : MICROS).format(at.atOffset(ZoneOffset.UTC));
  }

  private void separate(int i) {
    if (i > 0) {
      append(separator, separator.length);
    }
  }

  private void value(byte[] text) {
    if (isPlain(text)) {
      append(text, text.length);
      return;
    }
    reserve(2 * text.length + 2);
    line[size++] = '"';
    for (byte one : text) {
      if (one == '"') {
        line[size++] = '"';
      }
      line[size++] = one;
    }
    line[size++] = '"';
  }

  private boolean isPlain(byte[] text) {
    int end = text.length;
    if (end == 0 || text[0] == ' ' || text[end - 1] == ' ' || text[0] == '#' || text[0] == (byte) 0xef) { // 0xef: a byte order mark, and a few more
      return false;
    }
    for (byte one : text) {
      if (risky[one & 0xff]) {
        return false;
      }
    }
    return true;
  }

  private void end() {
    reserve(1);
    line[size++] = '\n';
  }

  private void append(byte[] bytes, int length) {
    reserve(length);
    System.arraycopy(bytes, 0, line, size, length);
    size += length;
  }

  private void reserve(int more) {
    if (line.length - size < more) {
      line = Arrays.copyOf(line, Math.max(2 * line.length, Math.addExact(size, more)));
    }
  }

  int size() {
    return size;
  }

  /** What was gathered; begins anew. */
  byte[] take() {
    byte[] all = Arrays.copyOf(line, size);
    size = 0;
    return all;
  }

  /** What was gathered; begins anew. */
  void drain(OutputStream out) throws IOException {
    out.write(line, 0, size);
    size = 0;
  }

  /** A null that stands alone in its row. */
  static final class LoneNull extends RuntimeException {
    private static final long serialVersionUID = 1L;

    LoneNull(String column) {
      super("CSV_LONE_NULL column " + column);
    }
  }
}
