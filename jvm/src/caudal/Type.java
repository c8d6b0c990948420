package caudal;

import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;

/**
 * A column's type, prepared for reading. {@code element}: the type of an array's or map's elements, and
 * {@code nulls}: whether they may be null; {@code fields}: of a struct; {@code most}: the greatest whole
 * number; {@code times}: reads dates and times.
 */
record Type(
    Kind kind, Type element, boolean nulls, Fields fields, long most, DecimalType decimal, Times times) {
  enum Kind {
    STRING, DOUBLE, WHOLE, BOOLEAN, FLOAT, DECIMAL, DATE, TIMESTAMP, TIMESTAMP_NTZ, BINARY, STRUCT, ARRAY, MAP
  }

  static Type of(DataType type, Times times) {
    if (type instanceof StructType struct) {
      return new Type(Kind.STRUCT, null, true, new Fields(struct, times), 0, null, times);
    }
    if (type instanceof ArrayType array) {
      return new Type(Kind.ARRAY, of(array.elementType(), times), array.containsNull(), null, 0, null, times);
    }
    if (type instanceof MapType map && map.keyType() instanceof StringType) {
      return new Type(Kind.MAP, of(map.valueType(), times), map.valueContainsNull(), null, 0, null, times);
    }
    DecimalType decimal = type instanceof DecimalType given ? given : null;
    return new Type(kind(type), null, true, null, most(type), decimal, times);
  }

  boolean isTime() {
    return kind == Kind.DATE || kind == Kind.TIMESTAMP || kind == Kind.TIMESTAMP_NTZ;
  }

  /** The number in Spark's internal form for this type; null when it is out of range. */
  Object whole(long value) {
    if (value > most || value < -most - 1) {
      return null;
    }
    if (most == Long.MAX_VALUE) {
      return value;
    }
    if (most == Integer.MAX_VALUE) {
      return (int) value;
    }
    return most == Short.MAX_VALUE ? (Object) (short) value : (Object) (byte) value;
  }

  private static Kind kind(DataType type) {
    if (most(type) > 0) {
      return Kind.WHOLE;
    }
    return type instanceof StringType ? Kind.STRING
        : type instanceof DoubleType ? Kind.DOUBLE
        : type instanceof BooleanType ? Kind.BOOLEAN
        : type instanceof FloatType ? Kind.FLOAT
        : type instanceof DecimalType ? Kind.DECIMAL
        : type instanceof BinaryType ? Kind.BINARY
        : time(type);
  }

  private static Kind time(DataType type) {
    if (type instanceof DateType) {
      return Kind.DATE;
    }
    if (type instanceof TimestampType) {
      return Kind.TIMESTAMP;
    }
    if (type instanceof TimestampNTZType) {
      return Kind.TIMESTAMP_NTZ;
    }
    throw new IllegalArgumentException(type.simpleString());
  }

  private static long most(DataType type) {
    if (type instanceof LongType) {
      return Long.MAX_VALUE;
    }
    if (type instanceof IntegerType) {
      return Integer.MAX_VALUE;
    }
    return type instanceof ShortType ? Short.MAX_VALUE : type instanceof ByteType ? Byte.MAX_VALUE : 0;
  }
}
