package caudal;

import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.catalog.functions.BoundFunction;
import org.apache.spark.sql.connector.catalog.functions.ScalarFunction;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/** A SQL function that writes the fields of a struct as one {@link CsvLine} without a line end. */
public final class CsvValue implements ScalarFunction<UTF8String>, UnboundFunction {
  private static final long serialVersionUID = 1L;

  private final String schema;
  private final String separator;
  private transient CsvLine line; // each task has its own copy of this object

  /**
   * {@code schema}: a StructType as JSON. Throws IllegalArgumentException for a type that has no csv form.
   */
  public CsvValue(String schema, String separator) {
    this.schema = schema;
    this.separator = separator;
    made();
  }

  private StructType type() {
    return ((StructType) DataType.fromJson(schema)).asNullable();
  }

  private CsvLine made() {
    return new CsvLine(type(), separator);
  }

  /** Spark finds this method by its name. */
  public UTF8String invoke(InternalRow row) {
    if (row == null) {
      return null;
    }
    if (line == null) {
      line = made();
    }
    line.values(row);
    return UTF8String.fromBytes(line.take());
  }

  @Override
  public UTF8String produceResult(InternalRow input) {
    return invoke(input.isNullAt(0) ? null : input.getStruct(0, type().length()));
  }

  @Override
  public BoundFunction bind(StructType given) {
    return this;
  }

  @Override
  public DataType[] inputTypes() {
    return new DataType[] {type()};
  }

  @Override
  public DataType resultType() {
    return DataTypes.StringType;
  }

  @Override
  public String name() {
    return "csv_value";
  }

  /** Its text in a query plan. */
  @Override
  public String toString() {
    return name();
  }

  @Override
  public String canonicalName() {
    return String.join("/", "caudal.csv_value", schema, separator);
  }

  @Override
  public String description() {
    return "csv_value(struct): text";
  }
}
