package caudal;

import org.apache.spark.sql.api.java.UDF1;

/**
 * A SQL function of the bytes of one record: are they one JSON document, whole, and of this schema to the letter?
 *
 * <p>A negative answer is the number of a {@link Fault.Code}: the record is refused. Else the answer says what was seen, so that what a
 * second parser makes of the record can be compared: bit i is set when column i holds a value (the first 40 columns), then come 20 bits with
 * the sum of the array columns' lengths, the k-th array's taken k times; bit 61 is set when there were fields the schema does not know.
 */
public final class StrictJson implements UDF1<byte[], Long> {
  static final int MASKED = 40;
  static final long LENGTHS = (1L << 20) - 1;
  static final long UNKNOWN = 1L << 61;
  private static final long serialVersionUID = 1L;

  private final String schema;
  private transient volatile Fields fields;

  /** {@code schema}: a StructType as JSON. */
  public StrictJson(String schema) {
    this.schema = schema;
  }

  @Override
  public Long call(byte[] record) {
    if (record == null) {
      return null;
    }
    if (fields == null) {
      fields = Fields.parse(schema);
    }
    try {
      return new Check(fields).of(record);
    } catch (Fault fault) {
      return (long) -fault.code.number();
    }
  }
}
