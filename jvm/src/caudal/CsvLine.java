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
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Writes rows as csv: RFC 4180, with a line feed as line end. Null is nothing between two separators; an
 * empty string is {@code ""}. A value is quoted where a reader could misread it: with a quote, separator or
 * control character in it, a blank at either end, or a {@code #} or byte order mark at its start.
 */
final class CsvLine implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final DateTimeFormatter MILLIS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS");
  private static final DateTimeFormatter MICROS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS");
  private static final int MILLION = 1_000_000;
  private static final List<DataType> SCALARS =
      List.of(
          DataTypes.BooleanType,
          DataTypes.ByteType,
          DataTypes.ShortType,
          DataTypes.IntegerType,
          DataTypes.LongType,
          DataTypes.FloatType,
          DataTypes.DoubleType,
          DataTypes.DateType,
          DataTypes.TimestampType,
          DataTypes.TimestampNTZType);

  private final StructType schema;
  private final DataType[] types;
  private final byte[] separator;
  private final boolean[] risky = new boolean[256]; // by byte: whether a value with this byte is quoted
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
    if (!(type instanceof StringType || type instanceof DecimalType || SCALARS.contains(type))) {
      String what = type.simpleString() + " has no csv form";
      throw new IllegalArgumentException("column " + field.name() + ": " + what);
    }
    return type;
  }

  /** Adds a line with the names of the columns. */
  void names() {
    String[] names = schema.fieldNames();
    for (int i = 0; i < names.length; i++) {
      separate(i);
      value(names[i].getBytes(StandardCharsets.UTF_8));
    }
    end();
  }

  /** Adds a row as a line. Throws {@link LoneNull} for an empty line, which most readers skip. */
  void row(InternalRow row) throws LoneNull {
    if (types.length == 1 && row.isNullAt(0)) {
      throw new LoneNull(schema.fieldNames()[0]);
    }
    values(row);
    end();
  }

  /** Adds a row without a line end. */
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

  /**
   * Microseconds since 1970 as ISO 8601, with three digits after the second, or six where three would lose
   * some.
   */
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
    // 0xef is the first byte of a byte order mark, and of a few other characters
    if (end == 0 || text[0] == ' ' || text[end - 1] == ' ' || text[0] == '#' || text[0] == (byte) 0xef) {
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

  /** Returns what was gathered, and begins again. */
  byte[] take() {
    byte[] all = Arrays.copyOf(line, size);
    size = 0;
    return all;
  }

  /** Writes out what was gathered, and begins again. */
  void drain(OutputStream out) throws IOException {
    out.write(line, 0, size);
    size = 0;
  }

  /** A row whose only value is null. */
  static final class LoneNull extends RuntimeException {
    private static final long serialVersionUID = 1L;

    LoneNull(String column) {
      super("CSV_LONE_NULL column " + column);
    }
  }
}
