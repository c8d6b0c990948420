package caudal;

import java.time.ZoneOffset;
import org.apache.spark.sql.api.java.UDF1;

/** A SQL function of a record that {@link StrictJson} refused, or reported: the field that it was about, or the fields nobody knows; or null. */
public final class WhyNotJson implements UDF1<byte[], String> {
  private static final long serialVersionUID = 1L;

  private final String schema;

  /** {@code schema}: a StructType as JSON. */
  public WhyNotJson(String schema) {
    this.schema = schema;
  }

  @Override
  public String call(byte[] record) {
    if (record == null) {
      return null;
    }
    Check check = new Check(Fields.parse(schema, ZoneOffset.UTC));
    try {
      check.of(record);
    } catch (Fault fault) {
      return fault.getMessage();
    }
    return check.unknown();
  }
}
