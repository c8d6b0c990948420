package caudal;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.sql.catalyst.analysis.NoSuchFunctionException;
import org.apache.spark.sql.connector.catalog.FunctionCatalog;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * A catalog that has only functions. Spark compiles a call of a catalog function into the stage and passes
 * its internal rows. A registered UDF would get each value boxed, and its rows converted.
 */
public final class Functions implements FunctionCatalog {
  private static final Map<String, UnboundFunction> KNOWN = new ConcurrentHashMap<>();
  private String name = "";

  /**
   * Call it in the driver, where queries are analysed. The name depends on everything that the function is
   * made of, so functions of one name are equal.
   */
  public static void put(String name, UnboundFunction function) {
    KNOWN.put(name, function);
  }

  @Override
  public void initialize(String given, CaseInsensitiveStringMap options) {
    name = given;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Identifier[] listFunctions(String[] namespace) {
    return KNOWN.keySet().stream().map(one -> Identifier.of(new String[0], one)).toArray(Identifier[]::new);
  }

  @Override
  public UnboundFunction loadFunction(Identifier identifier) throws NoSuchFunctionException {
    UnboundFunction found = KNOWN.get(identifier.name());
    if (found == null) {
      throw new NoSuchFunctionException(identifier);
    }
    return found;
  }
}
