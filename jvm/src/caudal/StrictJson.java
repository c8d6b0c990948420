package caudal;

import org.apache.spark.sql.api.java.UDF1;

/**
 * A SQL function of the bytes of one record: are they one JSON document, whole, and of this schema to the letter?
 *
 * <p>The answer is a text: {@code !code place} for a record that is refused, else {@code mask:n,m}, the columns that hold a value as a bit
 * mask and the length of each array column, so that what a second parser makes of the record can be compared; then {@code " ?a,b"} when
 * there were fields the schema does not know. Null for null.
 */
public final class StrictJson implements UDF1<byte[], String> {
  private static final long serialVersionUID = 1L;

  private final String schema;
  private transient volatile Fields fields;

  /** {@code schema}: a StructType as JSON. */
  public StrictJson(String schema) {
    this.schema = schema;
  }

  @Override
  public String call(byte[] record) {
    if (record == null) {
      return null;
    }
    if (fields == null) {
      fields = Fields.parse(schema);
    }
    return Check.of(record, fields);
  }
}
