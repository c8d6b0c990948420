package caudal;

import caudal.Fault.Code;
import java.time.ZoneId;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.catalog.functions.BoundFunction;
import org.apache.spark.sql.connector.catalog.functions.ScalarFunction;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A SQL function of the bytes of one record: (verdict: long, record: struct). If they are one JSON document, whole, and of this schema to the
 * letter, the record is the row of what was read, and the verdict 0, or 1 when there were fields that the schema does not know. Else the
 * verdict is minus the number of a {@link Fault.Code}, and the record null.
 */
public final class StrictJson implements ScalarFunction<InternalRow>, UnboundFunction {
  private static final long serialVersionUID = 2L;

  private final String schema;
  private final int longest;
  private final Code blank;
  private final String zone;
  private transient volatile Fields fields;

  /** {@code schema}: a StructType as JSON; {@code longest}: bytes; {@code blank}: what nothing but blanks is; {@code zone}: of times without one. */
  public StrictJson(String schema, int longest, String blank, String zone) {
    this.schema = schema;
    this.longest = longest;
    this.blank = Code.valueOf(blank);
    this.zone = zone;
    fields = Fields.parse(schema, ZoneId.of(zone)); // a type that cannot be read is said here
  }

  /** Spark finds this method by its name. */
  public InternalRow invoke(byte[] bytes) {
    Fields known = fields;
    if (known == null) { // was sent to an executor
      fields = known = Fields.parse(schema, ZoneId.of(zone));
    }
    Code unread = Bytes.unread(bytes, longest, blank);
    if (unread != null) {
      return answer(-unread.number(), null);
    }
    Check check = new Check(known);
    try {
      InternalRow record = check.of(bytes);
      return answer(check.unknown() == null ? 0 : 1, record);
    } catch (Fault fault) {
      return answer(-fault.code.number(), null);
    }
  }

  private static InternalRow answer(long verdict, InternalRow record) {
    return new GenericInternalRow(new Object[] {verdict, record});
  }

  @Override
  public InternalRow produceResult(InternalRow input) {
    return invoke(input.isNullAt(0) ? null : input.getBinary(0));
  }

  @Override
  public BoundFunction bind(StructType given) {
    if (given.length() != 1 || !DataTypes.BinaryType.sameType(given.fields()[0].dataType())) {
      throw new UnsupportedOperationException("takes one binary");
    }
    return this;
  }

  @Override
  public DataType[] inputTypes() {
    return new DataType[] {DataTypes.BinaryType};
  }

  @Override
  public DataType resultType() {
    StructType record = ((StructType) DataType.fromJson(schema)).asNullable();
    return new StructType().add("verdict", DataTypes.LongType, false).add("record", record, true);
  }

  @Override
  public boolean isResultNullable() {
    return false;
  }

  @Override
  public String name() {
    return "strict_json";
  }

  /** As it stands in a plan. */
  @Override
  public String toString() {
    return name();
  }

  @Override
  public String canonicalName() {
    return String.join("/", "caudal.strict_json", schema, Integer.toString(longest), blank.name(), zone);
  }

  @Override
  public String description() {
    return "strict_json(binary): (verdict, record)";
  }
}
